"""Does a verdict keep its word on real data? Networks trained and retrained, and what was said of them.

    python -m benchmarks.claims_real train FOLDER digits|location30|adult [--seeds 40]   trains what is missing
    python -m benchmarks.claims_real table FOLDER [--shadows 1 3]                        prints the table

For each seed: another split, an original, three shadows, and for each request an exact retrain and a finetuned model.
Requests are random, the hardest and the easiest fifth by a model that takes no part in the audit, and one class. The
answers are kept as scaled logits of the true label, so that the table is made in minutes; `seen` [3, rows] says which
shadow was trained on which of the pool's records. Data: VESTIGE_DATA.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import vestige
from benchmarks.claims import interval
from vestige.evaluation.verdict import Margins, judge
from vestige.evaluation.verdict.decision import allowed
from vestige.signals import collect_logits
from vestige.signals.transforms import scaled_logit

STUDIES = {  # counts, forget, size of a shadow, hidden units, epochs
    "digits": ({"train": 500, "holdout": 500, "shadow": 797}, 100, 400, (64,), 30),
    "location30": ({"train": 1700, "holdout": 710, "shadow": 2600}, 300, 1400, (256, 128), 40),
    "adult": ({"train": 3000, "holdout": 2000, "shadow": 5000}, 300, 2700, (128, 64), 30),
}
REQUESTS = ("random", "hard", "easy", "class")
SHADOWS = 3


def train(folder: Path, name: str, seeds: int) -> None:
    counts, n, size, hidden, epochs = STUDIES[name]
    data = vestige.load_dataset(name)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        file = folder / f"{name}-{seed}.npz"
        if file.exists():
            continue
        start = time.perf_counter()
        split = vestige.make_split(data, "random", forget=n, seed=seed, **counts)
        rng = np.random.default_rng([seed, 3])
        recipe = vestige.Recipe(epochs=epochs, batch_size=64, lr=0.05)

        def fit(rows, number, recipe=recipe, seed=seed):
            one = 100 * seed + number
            fresh = vestige.build_model("mlp", data.shape, len(data.classes), seed=one, hidden=hidden)
            return vestige.train(fresh, data.take(rows), recipe.model_copy(update={"seed": one})).model

        members = np.stack([rng.permutation(len(split.shadow))[:size] for _ in range(SHADOWS + 1)])
        rows = np.concatenate([split.train, split.holdout, split.shadow])
        seen = np.stack([np.isin(rows, split.shadow[chosen]) for chosen in members[:SHADOWS]])
        asked = data.take(rows)

        def margins(model, asked=asked):
            return scaled_logit(collect_logits(model, asked), asked.y).astype(np.float32)

        original = fit(split.train, 0)
        judge_of_difficulty = margins(fit(split.shadow[members[SHADOWS]], 9))
        models = {"original": margins(original)}
        for number in range(SHADOWS):
            models[f"shadow-{number}"] = margins(fit(split.shadow[members[number]], 1 + number))
        for number, request in enumerate(REQUESTS):
            forget = _forget(request, asked.y, judge_of_difficulty, len(split.train), n, rng)
            kept = np.setdiff1d(np.arange(len(split.train)), forget)
            models[f"forget-{request}"] = np.isin(np.arange(len(rows)), forget)
            models[f"retrain-{request}"] = margins(fit(rows[kept], 20 + number))
            one = vestige.Split(data, rows[forget], rows[kept], split.holdout, split.shadow)
            tuned = vestige.unlearn("finetune", original, one, epochs=2, seed=seed).model
            models[f"finetune-{request}"] = margins(tuned)
        sizes = [len(split.train), len(split.holdout), len(split.shadow)]
        source = np.repeat(["train", "holdout", "pool"], sizes)
        np.savez(file, labels=asked.y, source=source, seen=seen, **models)
        print(f"{name} {seed}: {time.perf_counter() - start:.0f} s", flush=True)


def _forget(
    request: str, labels: np.ndarray, ease: np.ndarray, trained: int, n: int, rng: np.random.Generator
):
    """Return the rows of a request among the first `trained`."""
    if request == "random":
        return np.sort(rng.permutation(trained)[:n])
    if request == "class":
        return np.flatnonzero(labels[:trained] == 1)[:n]
    order = np.argsort(ease[:trained])
    return np.sort(order[: trained // 5] if request == "hard" else order[-(trained // 5) :])


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
    for name in [only] if only else STUDIES:
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
    parser.add_argument("what", choices=("train", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="?", choices=tuple(STUDIES))
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--shadows", type=int, nargs="+", default=[1, 3])
    options = parser.parse_args()
    if options.what == "train":
        sys.exit(train(options.folder, options.data or parser.error("name the data"), options.seeds))
    sys.exit(table(options.folder, options.data, options.shadows))
