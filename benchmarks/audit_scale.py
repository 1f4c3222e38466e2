"""What an audit costs as the samples grow: processor time and peak memory of the default measures and the verdict.

    python -m benchmarks.audit_scale [SAMPLES ...]        default: 10,000, 100,000 and 1,000,000

10 classes, 4 shadow models, half of the samples forgotten, the rest retained and held out by halves. Each size runs in
a process of its own with one thread, so that its peak memory is its own; the signals are part of it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

CLASSES, SHADOWS = 10, 4
SIZES = (10_000, 100_000, 1_000_000)


def one(samples: int) -> str:
    """Audit so many samples; return the figures as a line."""
    import numpy as np

    import vestige

    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, samples)
    role = rng.choice(["forget", "retain", "holdout"], samples, p=[0.5, 0.25, 0.25])
    known = 2.0 * np.eye(CLASSES)[labels]

    def answers() -> np.ndarray:
        return known + rng.normal(size=(samples, CLASSES))

    signals = vestige.Signals(
        labels,
        answers(),
        original=answers(),
        shadow_out=np.stack([answers() for _ in range(SHADOWS)]),
        role=role,
    )
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start, wall = time.process_time(), time.perf_counter()
    audit = vestige.audit(signals)
    seconds, waited = time.process_time() - start, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    slowest = sorted(audit.measures, key=lambda run: -run.seconds)[:4]
    slow = ", ".join(f"{run.measure} {run.seconds:.1f} s" for run in slowest)
    return (
        f"{samples:,} samples: {seconds:.1f} s of processor time ({waited:.1f} s in all), peak {peak:.1f} GiB, "
        f"{held:.1f} GiB before it; {slow}"
    )


def main(sizes: list[str]) -> None:
    if len(sizes) == 1:
        print(one(int(sizes[0])), flush=True)
        return
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    for size in sizes or map(str, SIZES):
        command = [sys.executable, "-m", "benchmarks.audit_scale", size]
        subprocess.run(command, check=True, env=os.environ | limits)


if __name__ == "__main__":
    main(sys.argv[1:])
