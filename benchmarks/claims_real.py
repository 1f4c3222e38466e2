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
from vestige.evaluation.verdict.adjustment import trace_scores
from vestige.evaluation.verdict.decision import allowed
from vestige.evaluation.verdict.matching import match

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


def bias(folder: Path, only: str | None, worlds: int = 12) -> None:
    """Print the mean trace scores of requests under an exact retrain, under a shadow in its place, and untouched.

    0 where the allowance for difficulty is right; under a shadow no deletion is in it.
    """
    print(
        "| data | request | regression | change | shadow in place: regression, change | a whole record: regression, "
        "change |\n| --- | --- | ---: | ---: | ---: | ---: |"
    )
    for name in [only] if only else DATA:
        for request in ("hard", "easy", "random"):
            files = sorted(folder.glob(f"{name}-*.npz"))[:worlds]
            each = []
            for file in files:
                one = world(file, request, "retrain", 3)
                assert one.original is not None
                placebo = one.with_(unlearned=one.shadows[2], shadows=one.shadows[:2])
                each.append([_shift(one), _shift(placebo), _shift(one.with_(unlearned=one.original))])
            own, shadow, whole = np.mean(each, axis=0)
            spread = np.std(each, axis=0, ddof=1)[0] / np.sqrt(len(each))
            print(
                f"| {name} | {request} | {own[0]:.2f} ± {spread[0]:.2f} | {own[1]:.2f} ± {spread[1]:.2f} "
                f"| {shadow[0]:.2f}, {shadow[1]:.2f} | {whole[0]:.2f}, {whole[1]:.2f} |", flush=True,
            )  # fmt: skip


def _shift(margins: Margins) -> list[float]:
    """Return the mean of each trace score of the forgotten records, less that of never-seen ones of their strata."""
    forget, null = margins.of("forget"), margins.of("holdout")
    trace, matching = trace_scores(margins, null), match(margins, forget, null, np.random.default_rng(0))
    assert trace is not None
    shifts = []
    for score, values in enumerate(trace.values):
        weights = matching.weights(score, forget, null)
        shifts.append(float(values[forget].mean() - np.average(values[null], weights=weights)))
    return shifts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="?", choices=DATA)
    parser.add_argument("--shadows", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--bias", action="store_true")
    options = parser.parse_args()
    if options.bias:
        sys.exit(bias(options.folder, options.data))
    sys.exit(table(options.folder, options.data, options.shadows))
