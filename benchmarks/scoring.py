"""IAM scoring: the library's closed form against the published computation, which materialises
[shadows, steps, samples]. Both get the same signal arrays and give the same scores.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.timing import exponent, medians, peak_mib
from vestige.measures.interpolation import Moments, interpolate

STEPS = 100


def materialised(u, s, o):
    """The published computation, in plain NumPy; written to be read."""
    a = np.arange(STEPS) / (STEPS - 1)
    x = (1 - a)[:, None] * s[:, None, :] + a[:, None] * o  # [shadows, steps, samples]
    mean = x.mean(axis=0)[:-1]
    sigma = x.std(axis=(0, 2))[:-1, None]
    beta = np.sqrt(6) * sigma / np.pi
    f = np.exp(-np.exp(-(u - (mean - 0.5772 * beta)) / beta))
    return 1 - (a[1:, None] * f).sum(axis=0) / a[1:].sum()


def streamed(u, s, o, steps=STEPS):
    """What `vestige.measure("iam", preset="paper")` does once it has the signals."""
    mean = s.mean(axis=0)
    covariance = float(np.mean((mean - mean.mean()) * (o - o.mean())))
    moments = Moments(float(s.var()), float(o.var()), covariance)
    scores = np.empty_like(u)
    for start in range(0, len(u), 8192):
        part = slice(start, start + 8192)
        scores[part] = interpolate(u[part], s[:, part], o[part], moments=moments, steps=steps)
    return scores


def arrays(shadows: int, samples: int):
    rng = np.random.default_rng(0)
    return rng.random(samples), rng.random((shadows, samples)), rng.random(samples)


def main() -> None:
    samples = 10_000
    print(
        f"{samples:,} samples, {STEPS} steps, float64; the largest difference of the two scores in the last column"
    )
    print("shadows   materialised        streamed           ratio of time   ratio of memory   difference")
    for shadows in (1, 16, 128):
        data = arrays(shadows, samples)
        slow, fast = medians(3, partial(materialised, *data), partial(streamed, *data))
        heavy, light = peak_mib(partial(materialised, *data)), peak_mib(partial(streamed, *data))
        gap = np.abs(materialised(*data) - streamed(*data)).max()
        print(
            f"{shadows:7d}   {slow:6.3f} s {heavy:7.0f} MiB   {fast:6.4f} s {light:5.1f} MiB   "
            f"{slow / fast:10.1f}x   {heavy / light:12.1f}x   {gap:12.1e}"
        )
    print("wanted at 128 shadows: time at least 40x, memory at least 10x")
    for what, sizes in (
        ("samples", (10_000, 40_000, 160_000)),
        ("shadows", (8, 32, 128)),
        ("steps", (50, 200, 800)),
    ):
        seconds = []
        for size in sizes:
            data = arrays(size if what == "shadows" else 4, size if what == "samples" else 10_000)
            steps = size if what == "steps" else STEPS
            seconds += medians(5, partial(streamed, *data, steps=steps))
        print(f"time grows with {what}^{exponent(sizes, seconds):.2f} over {sizes}")
