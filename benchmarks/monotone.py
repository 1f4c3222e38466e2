"""Is `monotone` better than IAM? Trained worlds, requests and models that its form was not chosen on
(docs/labbook/monotone.md).

    python -m benchmarks.worlds FOLDER DATA --shadows 8 --methods finetune scrub selective_pruning    trains the worlds
    python -m benchmarks.monotone run FOLDER FILE [--data digits ...] [--worlds 16]            appends to FILE.jsonl
    python -m benchmarks.monotone texts FILE         token losses of MUSE-News, from VESTIGE_REFERENCE; appends
    python -m benchmarks.monotone table FILE         prints the table, as `benchmarks.tables` writes it
    python -m benchmarks.monotone cost               processor time of 10,000 records

Of each measure: the mean over worlds of the AUC between forgotten and retained records, the share of forgotten records
recognised where 1 % of the retained are missed, the AUC between the forgotten records and the same records under the
untouched original (where a request is hard or easy, the first AUC sees that too), and the difference of each to IAM's
with a 95 % t interval over worlds. Of random requests the first six worlds, on which the form was chosen, are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.calibration import signals_of, worlds_of
from benchmarks.worlds import ORDERED, STUDIES
from vestige import llm
from vestige.measures import measure
from vestige.signals import Signals
from vestige.signals.transforms import of_losses

MEASURES = (
    "iam", "monotone", "loss_difference", "lira_online", "bavaria", "rmia_ratio", "informia", "dratio",
)  # fmt: skip
FIGURES = ("auc", "recognised", "same records")
AUDITED = ("retrain", "finetune", "scrub", "selective_pruning")
CHOSEN_ON = 6
HALVES = 20  # draws of the texts whose truth is taken as known


def separation(file: Path, request: str, audited: str, shadows: int, shape: str) -> NDArray[np.float64]:
    """Return [measures, 2 or 3]: AUC, recognised at 1 % missed, AUC against the same records under the original.

    The third where the request is harder or easier than the retained records.
    """
    models = (audited, "original") if request in ORDERED else (audited,)
    own, *before = (
        signals_of(file, request, one, shadows, "counterfactual", shape).remembering() for one in models
    )
    forget, retain = (own.roles == role for role in ("forget", "retain"))
    figures = []
    for name in MEASURES:
        scores = measure(name, own)
        untouched = [measure(name, each)[forget] for each in before]
        figures.append([
            _auc(scores[forget], scores[retain]), _recognised(scores[forget], scores[retain]),
            *(_auc(scores[forget], each) for each in untouched),
        ])  # fmt: skip
    return np.array(figures)


def _auc(gone: NDArray[np.float64], kept: NDArray[np.float64]) -> float:
    truth = np.repeat([True, False], [len(gone), len(kept)])
    return float(roc_auc_score(truth, np.concatenate([gone, kept])))


def _recognised(gone: NDArray[np.float64], kept: NDArray[np.float64]) -> float:
    return float((gone > np.quantile(kept, 0.99)).mean())


def records(key: dict[str, Any], every: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    """Yield a record of each measure from figures [worlds, measures, figures], paired with IAM's."""
    for place, name in enumerate(MEASURES[: every.shape[1]]):
        record = key | {"measure": name, "worlds": len(every)}
        for k, figure in enumerate(FIGURES[: every.shape[2]]):
            own, other = every[:, place, k], every[:, 0, k]
            record[figure] = round(float(own.mean()), 4)
            if place:
                record[f"{figure} to iam"] = interval(own - other)
        yield record


def interval(values: NDArray[np.float64]) -> list[float]:
    """Return mean, low and high of a 95 % t interval; of one value it is everything."""
    mean, n = float(values.mean()), len(values)
    reach = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.inf
    return [round(float(each), 4) for each in (mean, mean - reach, mean + reach)]


def append(file: Path, key: dict[str, Any], every: NDArray[np.float64], seconds: float) -> None:
    with file.open("a") as out:
        out.writelines(json.dumps(one) + "\n" for one in records(key, every))
    print(*key.values(), len(every), f"{seconds:.0f} s", flush=True)


def done(file: Path, key: dict[str, Any]) -> bool:
    lines = file.read_text().splitlines() if file.exists() else []
    return any(key.items() <= json.loads(line).items() for line in lines)


def run(
    folder: Path, file: Path, data: Sequence[str], requests: Sequence[str], audited: Sequence[str],
    shapes: Sequence[str], shadows: int, worlds: int,
) -> None:  # fmt: skip
    """Append the figures of each data set, request, audited model and shape of shadow, where they are missing."""
    for name in data:
        for request in STUDIES[name].requests:
            for one in audited if request in requests else ():
                for shape in shapes:
                    key = {
                        "data": name,
                        "request": request,
                        "audited": one,
                        "shape": shape,
                        "shadows": shadows,
                    }
                    first = CHOSEN_ON if request == "random" and one == "retrain" else 0
                    files = []
                    for path in worlds_of(folder, name):
                        with np.load(path) as arrays:
                            there = {f"{one}-{request}", f"{shape}-{shadows - 1}"} <= set(arrays.files)
                        if there and int(path.stem.split("-")[1]) >= first:
                            files.append(path)
                    if not files or done(file, key):
                        continue
                    start = time.process_time()
                    every = [separation(path, request, one, shadows, shape) for path in files[:worlds]]
                    append(file, key, np.stack(every), time.process_time() - start)


def texts(file: Path) -> None:
    """Append MUSE-News: published token losses hold no never-seen texts, so half of the forgotten ones play them.

    An audit has no such texts: their truth is what it asks for. It says what the form is worth on losses of tokens.
    """
    folder = Path(os.environ["VESTIGE_REFERENCE"]) / "iam_llm"
    names = {"u": "nlloss", "a": "fitRef_nlloss", "b": "ref_nlloss"}
    losses = {key: np.loadtxt(folder / f"{name}.txt", skiprows=1) for key, name in names.items()}
    models = {key: of_losses(values) for key, values in losses.items()}
    of_texts = llm.measure("iam", nll=losses["u"], fit=losses["a"], out=losses["b"])
    kept = np.loadtxt(folder / "label.txt", skiprows=1) == 1
    every = []
    for draw in range(HALVES):
        rng = np.random.default_rng(draw)
        known = np.zeros(len(kept), bool)
        known[rng.permutation(np.flatnonzero(~kept))[: (~kept).sum() // 2]] = True
        role = np.where(kept, "retain", np.where(known, "holdout", "forget"))
        labels = np.zeros(len(kept), np.int64)
        signals = Signals(labels, models["u"], models["a"], models["b"][None], role=role).remembering()
        figures = []
        for scores in (of_texts, measure("monotone", signals)):
            gone, retained = scores[role == "forget"], scores[role == "retain"]
            figures.append((_auc(gone, retained), _recognised(gone, retained)))
        every.append(figures)
    key = {
        "data": "muse_news",
        "request": "half known",
        "audited": "retrain",
        "shape": "shadow",
        "shadows": 1,
    }
    append(file, key, np.array(every), 0.0)


def table(file: Path) -> str:
    """Return a line for each data set, request, audited model and shape: IAM, monotone, and their differences."""
    known = [json.loads(line) for line in file.read_text().splitlines()]
    of_iam = {_place(one): one for one in known if one["measure"] == "iam"}
    lines = [
        "| data, request | audited, shadow | worlds | `iam` | `monotone` | difference | recognised | difference |\n"
        "| --- | --- | ---: | ---: | ---: | --- | ---: | --- |"
    ]
    for one in known:
        if one["measure"] == "monotone":
            shape = {"shadow": "same shape", "other": "other shape"}[one["shape"]]
            cells = [f"{one['data']}, {one['request']}", f"{one['audited']}, {shape}", str(one["worlds"])]
            cells.append(f"{of_iam[_place(one)]['auc']:.3f}")
            for figure in FIGURES[:2]:
                cells += [f"{one[figure]:.3f}", _words(one[f"{figure} to iam"])]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _place(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record[key] for key in ("data", "request", "audited", "shape", "shadows"))


def _words(figures: list[float]) -> str:
    mean, low, high = figures
    won = "" if low <= 0 <= high else "**"
    return f"{won}{mean:+.3f}{won} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    """Print the seconds of one core that 10,000 records take."""
    rng, n = np.random.default_rng(0), 10_000
    role = np.repeat(["forget", "retain", "holdout"], [1_000, 4_500, 4_500])
    ease = rng.normal(1, 2, n)
    models = [
        ease + rng.normal(size=n) + 3 * np.isin(role, seen) for seen in (["retain"], ["forget", "retain"], [])
    ]
    u, o, s = (np.stack([one, np.zeros(n)], axis=1) for one in models)
    signals = Signals(np.zeros(n, np.int64), u, o, s, role=role)
    measure("monotone", signals.take(np.arange(0, n, 10)))
    start = time.process_time()
    measure("monotone", signals)
    print(
        f"monotone, {n:,} records: {time.process_time() - start:.2f} s of processor time; wanted: at most 2 s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="what", required=True)
    trained = commands.add_parser("run")
    trained.add_argument("folder", type=Path)
    trained.add_argument("file", type=Path)
    trained.add_argument("--data", nargs="+", default=list(STUDIES), choices=tuple(STUDIES))
    trained.add_argument("--requests", nargs="+", default=["random", "hard", "easy", "class", "partial"])
    trained.add_argument("--audited", nargs="+", default=list(AUDITED), choices=AUDITED)
    trained.add_argument("--shapes", nargs="+", default=["shadow", "other"], choices=("shadow", "other"))
    trained.add_argument("--shadows", type=int, default=1)
    trained.add_argument("--worlds", type=int, default=16)
    commands.add_parser("texts").add_argument("file", type=Path)
    commands.add_parser("table").add_argument("file", type=Path)
    commands.add_parser("cost")
    options = parser.parse_args()
    if options.what == "cost":
        sys.exit(main())
    if options.what == "texts":
        sys.exit(texts(options.file))
    if options.what == "table":
        sys.exit(print(table(options.file)))
    sys.exit(run(
        options.folder, options.file, options.data, options.requests, options.audited, options.shapes,
        options.shadows, options.worlds,
    ))  # fmt: skip
