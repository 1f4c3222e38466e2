"""How the benchmarks measure: interleaved repetitions, medians, peak of allocations, fitted exponents."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def medians(repeats: int, *functions: Callable[[], Any]) -> list[float]:
    """Run the functions in turn, `repeats` times after one warm-up each; return the median seconds of each."""
    seconds: list[list[float]] = [[] for _ in functions]
    for turn in range(repeats + 1):
        for function, taken in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            if turn:
                taken.append(time.perf_counter() - start)
    return [float(np.median(taken)) for taken in seconds]


def peak_mib(function: Callable[[], Any]) -> float:
    """Return the peak of what `function` allocates, in MiB; NumPy arrays are counted."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return b of seconds ~ sizes^b by least squares on logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
