"""`make bench`: every figure is a ratio of two things measured in this one run, at equal results.

    python -m benchmarks            all of them
    python -m benchmarks scoring    one

Times are medians of repeated, interleaved runs; memory is the peak of NumPy allocations above the inputs, or of
the process where it says so. Absolute seconds are printed for orientation; they belong to this machine.
"""

from __future__ import annotations

import importlib
import sys

SECTIONS = (
    "startup",
    "scoring",
    "auditing",
    "epsilon",
    "bootstrap",
    "rmia",
    "monotone",
    "collecting",
    "training",
    "fleet",
    "unlearning",
    "leaks",
    "runner",
)


def main(names: list[str]) -> None:
    for name in names or SECTIONS:
        if name not in SECTIONS:
            sys.exit(f"There is no benchmark {name!r}; there are: {', '.join(SECTIONS)}.")
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
