"""RMIA's share of exceeded population samples: sorted and searched, against the outer product of all pairs."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import medians, peak_mib
from vestige.measures.rmia import exceeded

QUERIES, POPULATION, GAMMA = 100_000, 5_000, 2.0


def outer(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """All pairs at once, in single precision."""
    pairs = own.astype(np.float32)[:, None] / others.astype(np.float32)[None, :]
    return (pairs > GAMMA).mean(axis=1)


def main() -> None:
    rng = np.random.default_rng(0)
    own, others = rng.lognormal(size=QUERIES), rng.lognormal(size=POPULATION)
    memory = [peak_mib(lambda f=f: f(own, others)) for f in (outer, ours)]
    seconds = medians(3, lambda: outer(own, others), lambda: ours(own, others))
    difference = np.abs(outer(own, others) - ours(own, others)).max()
    print(f"{QUERIES:,} queries, {POPULATION:,} population samples")
    print(f"memory: outer product {memory[0]:,.0f} MiB, ours {memory[1]:.1f} MiB: ", end="")
    print(f"1/{memory[0] / memory[1]:,.0f} (wanted: under 1/10)")
    print(f"time: {seconds[0]:.2f} s and {seconds[1]:.4f} s: {seconds[0] / seconds[1]:.0f}x; ", end="")
    print(f"largest difference {difference:.1e}, a pair that single precision puts on the other side")


def ours(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    return exceeded(own, others, GAMMA, 0.0)
