"""Does a verdict keep its word on real data? Networks trained and retrained, and what was said of them.

python -m benchmarks.worlds FOLDER digits|location30|adult [--seeds 40]   trains the worlds
python -m benchmarks.claims_real FOLDER [DATA] [--shadows 1 3]            prints the table
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.claims import interval
from vestige.evaluation.verdict import Margins, judge
from vestige.evaluation.verdict.decision import allowed

DATA = ("digits", "location30", "adult")
REQUESTS = ("random", "hard", "easy", "class")


def world(file: Path, request: str, audited: str, shadows: int) -> Margins:
    """Return the margins of one trained world; `audited` is "retrain", "finetune" or "original"."""
    with np.load(file) as arrays:
        forget = arrays[f"forget-{request}"]
        role = np.where(arrays["source"] == "train", "retain", "holdout")
        role[forget] = "forget"
        one = "original" if audited == "original" else f"{audited}-{request}"
        stack = np.stack([arrays[f"shadow-{k}"] for k in range(shadows)]).astype(float)
        margins = Margins(
            arrays[one].astype(float), stack, arrays["labels"], role, arrays["original"].astype(float),
            np.zeros((0, len(role))), arrays["source"], np.ones(len(role), np.int64),
        )  # fmt: skip
        never = ~arrays["seen"].any(axis=0) if "seen" in arrays else np.ones(len(role), bool)
    margins = margins.take(np.flatnonzero(never))
    return margins.take(np.random.default_rng(0).permutation(len(margins.role)))


def table(folder: Path, only: str | None, counts: list[int]) -> None:
    print(
        "| data | request | audited | shadows | worlds | under | over | unlearned | undecided | blocked | accused "
        "[95 %] | left at most (median) | could be whole (median) | interval holds 0 |\n| --- | --- | --- |"
        + " ---: |"
        * 11
    )
    for name in [only] if only else DATA:
        files = sorted(folder.glob(f"{name}-*.npz"))
        for request in REQUESTS if files else ():
            for audited in ("retrain", "finetune", "original"):
                for shadows in counts:
                    print(_line(name, files, request, audited, shadows), flush=True)


def _line(name: str, files: list[Path], request: str, audited: str, shadows: int) -> str:
    verdicts = [judge(world(file, request, audited, shadows), with_power=False).verdict for file in files]
    n, outcomes = len(files), Counter(v.outcome for v in verdicts)
    accused = outcomes["under"] + outcomes["over"]
    low, high = interval(accused, n)
    left = [v.left_at_most for v in verdicts if v.left_at_most is not None]
    whole = [v.could_be_whole for v in verdicts if v.could_be_whole is not None]
    bounded = [v for v in verdicts if v.low is not None and v.high is not None]
    holds = np.mean([v.low <= 1 <= v.high for v in bounded]) if bounded else np.nan
    size = verdicts[0].n
    cells = [
        name, request, audited, shadows, n, outcomes["under"], outcomes["over"], outcomes["unlearned"],
        outcomes["undecided"], sum(bool(v.blocked_by) for v in verdicts),
        f"{accused / n:.0%} [{low:.0%}, {high:.0%}]", f"{np.median(left):.2f}" if left else "–",
        f"{np.median(whole):.0f} of {size} ({allowed(size)})" if whole else "–",
        "–" if audited != "retrain" or not bounded else f"{holds:.0%}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="?", choices=DATA)
    parser.add_argument("--shadows", type=int, nargs="+", default=[1, 3])
    options = parser.parse_args()
    sys.exit(table(options.folder, options.data, options.shadows))
