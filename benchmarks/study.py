"""Every measure on real models: four studies, three kinds of request, one and four shadow models.

    python -m benchmarks.study train FOLDER [DATASET ...]                      trains what is missing, saves Signals
    python -m benchmarks.study measure FOLDER FILE [MEASURE ...] [--shadows 1]  writes a line of JSON for each figure
    python -m benchmarks.study table FILE [--shadows 1]                        prints AUC and TNR at FNR 1 %

The training set, the original and the shadows of a data set are the same for its three requests; each request has
its own exact retrain. Data come from VESTIGE_DATA.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import vestige
from benchmarks.worlds import untrained
from vestige.errors import InputError
from vestige.evaluation import bootstrap, figures
from vestige.measures import MEASURES
from vestige.signals import Signals, collect_fit, collect_logits, collect_sensitivity, simulated_deletions

CNN = {"epochs": 12, "batch_size": 128, "lr": 0.2, "schedule": "onecycle", "augment": "flip"}
MLP = {"epochs": 40, "batch_size": 64, "lr": 0.05}
DENSE = {"epochs": 20, "batch_size": 32, "lr": 0.05, "augment": "none"}
DATA = {"cifar10_dense_cnn": "cifar10"}
STUDIES = {
    "location30": (
        {"train": 1700, "holdout": 710, "shadow": 2600}, ("mlp", {"hidden": (256, 128)}), MLP, 1200,
    ),
    "adult": (
        {"train": 5000, "holdout": 5000, "shadow": 10000}, ("mlp", {"hidden": (256, 128)}), MLP, 4500,
    ),
    "cifar10": (
        {"train": 6000, "holdout": 4000, "shadow": 12000}, ("resnet18", {"width": 16}), CNN, 5500,
    ),
    "cifar10_dense_cnn": (
        {"train": 1500, "holdout": 1000, "shadow": 2400}, ("dense_cnn", {"width": 16}), DENSE, 1200,
    ),
}  # fmt: skip
REQUESTS = {
    "random": {"scenario": "random", "forget": 500},
    "partial_class": {"scenario": "partial_class", "label": 1, "forget": 0.1},
    "class": {"scenario": "class", "label": 1},
}
SHADOWS = 4


def train(folder: Path, names: list[str]) -> None:
    for name in names or list(STUDIES):
        counts, network, settings, size = STUDIES[name]
        data = vestige.load_dataset(DATA.get(name, name))
        splits = {
            request: vestige.make_split(data, seed=7, **options, **counts)
            for request, options in REQUESTS.items()
        }
        split = splits["random"]

        def fit(rows, seed, data=data, network=network, settings=settings):
            start = time.perf_counter()
            fresh = untrained(network, data, seed)
            trained = vestige.train(fresh, data.take(rows), vestige.Recipe(seed=seed, **settings)).model
            print(
                f"{data.name}: trained on {len(rows):,} samples in {time.perf_counter() - start:.0f} s",
                flush=True,
            )
            return trained

        asked = np.concatenate([split.train, split.holdout])
        pool = split.shadow
        members = np.zeros((SHADOWS, len(pool)), bool)
        for number, member in enumerate(members):
            member[np.random.default_rng(number).permutation(len(pool))[:size]] = True
        original = collect_logits(fit(split.train, 100), data.take(asked))
        shadows = [fit(pool[member], 200 + number) for number, member in enumerate(members)]
        out = np.stack([collect_logits(shadow, data.take(asked)) for shadow in shadows])
        inside = np.stack([collect_logits(shadow, data.take(pool)) for shadow in shadows])
        own = np.concatenate(
            [collect_fit(s, data.take(pool[m])) for s, m in zip(shadows, members, strict=True)]
        )
        known = simulated_deletions(data.y[pool], inside, members, ids=data.ids[pool])
        population_in = collect_logits(fit(split.holdout, 400), data.take(split.holdout))
        for request, one in splits.items():
            model = fit(one.retain, 300)
            retrained = collect_logits(model, data.take(asked))
            role = np.where(np.isin(asked, one.forget), "forget", "retain").astype("<U7")
            role[len(split.train) :] = "holdout"
            Signals(
                data.y[asked], retrained, original, out[: known.shadows], own, role=role, ids=data.ids[asked],
                calibration=known, shadow_ids=data.ids[pool[members.any(axis=0)]],
                sensitivity=collect_sensitivity(model, data.take(asked)),
                population=Signals(
                    data.y[split.holdout], retrained[len(split.train) :],
                    shadow_out=out[: known.shadows, len(split.train) :], ids=data.ids[split.holdout],
                ),
                population_in=population_in,
            ).save(folder / f"{name}-{request}")  # fmt: skip


def measured(folder: Path, file: Path, shadows: int, names: list[str]) -> None:
    """Write a line of JSON for each data set, request and measure, with the measure's figures or why it has none."""
    for name in STUDIES:
        for request in REQUESTS:
            if (folder / f"{name}-{request}").is_dir():
                signals = Signals.load(folder / f"{name}-{request}")
                for measure, figure in _figures(signals, shadows, names).items():
                    line = {
                        "data": name,
                        "request": request,
                        "shadows": shadows,
                        "measure": measure,
                        **figure,
                    }
                    with file.open("a") as lines:
                        lines.write(json.dumps(line) + "\n")


def lines_of(file: Path, shadows: int) -> list[dict[str, Any]]:
    """Return the lines of a file that are of one shadow, or of four."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if line["shadows"] == shadows]


def table(file: Path, figure: str, shadows: int) -> str:
    """Return one figure of every measure as a table in Markdown, a column for each data set and request."""
    lines = lines_of(file, shadows)
    columns = list(dict.fromkeys((line["data"], line["request"]) for line in lines))
    head = ["measure", *(f"{name}, {request}" for name, request in columns), "seconds"]
    rows = [head, ["---"] * len(head)]
    for measure in sorted({line["measure"] for line in lines}):
        own = {(line["data"], line["request"]): line for line in lines if line["measure"] == measure}
        cells = [_cell(own[column], figure) if column in own else "not run" for column in columns]
        seconds = max((line["seconds"] for line in own.values() if "seconds" in line), default=0)
        rows.append([f"`{measure}`", *cells, f"{seconds:.2f}"])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(line: dict[str, Any], figure: str) -> str:
    return line["why"] if "why" in line else "{:.3f} [{:.3f}, {:.3f}]".format(*line[figure])


def _figures(signals: Signals, shadows: int, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return, for each measure, its figures with their intervals and its seconds; or why it has none."""
    if shadows == 1:
        known = signals.calibration
        known = None if known is None else known.with_(shadow_out=known.shadow_out[:1])
        others = signals.population.with_(shadow_out=signals.population.shadow_out[:1])
        signals = signals.with_(shadow_out=signals.shadow_out[:1], calibration=known, population=others)
    found = {}
    for name in names or [name for name in MEASURES if MEASURES[name].of_samples]:
        start = time.perf_counter()
        try:
            scores = vestige.measure(name, signals)
        except InputError as error:
            found[name] = {"why": str(error).split(":")[0]}
            continue
        seconds = time.perf_counter() - start
        groups = scores[signals.roles == "forget"], scores[signals.roles == "retain"]
        values, spread = figures(*groups), bootstrap(*groups, draws=500)
        found[name] = {
            key: [round(float(x), 4) for x in (values[figure], *spread[figure])]
            for key, figure in (("auc", "auc"), ("tnr", "tnr_at_fnr_1%"))
        } | {"seconds": round(seconds, 3)}
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("train", "measure", "table"))
    parser.add_argument("path", type=Path)
    parser.add_argument("names", nargs="*", help="data sets to train on; of measure: the file, then measures")
    parser.add_argument("--shadows", type=int, choices=(1, SHADOWS), default=1)
    chosen = parser.parse_args()
    if chosen.command == "train":
        train(chosen.path, chosen.names)
    elif chosen.command == "measure":
        measured(chosen.path, Path(chosen.names[0]), chosen.shadows, chosen.names[1:])
    else:
        print(table(chosen.path, "auc", chosen.shadows), table(chosen.path, "tnr", chosen.shadows), sep="\n")
