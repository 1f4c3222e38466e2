"""Every measure on real models: three data sets, three kinds of request, one and four shadow models.

    python -m benchmarks.study train FOLDER [DATASET ...]     trains what is missing, saves Signals
    python -m benchmarks.study table FOLDER [--shadows 1]     prints the tables of docs/labbook/results.md

The training set, the original and the shadows of a data set are the same for its three requests; each request has
its own exact retrain. Data come from VESTIGE_DATA.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import vestige
from vestige.errors import InputError
from vestige.evaluation import bootstrap, figures
from vestige.measures import MEASURES
from vestige.signals import Signals, collect_fit, collect_logits, collect_sensitivity, simulated_deletions

CNN = {"epochs": 12, "batch_size": 128, "lr": 0.2, "schedule": "onecycle", "augment": "flip"}
MLP = {"epochs": 40, "batch_size": 64, "lr": 0.05}
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
}  # fmt: skip
REQUESTS = {
    "random": {"scenario": "random", "forget": 500},
    "partial_class": {"scenario": "partial_class", "label": 1, "forget": 0.1},
    "class": {"scenario": "class", "label": 1},
}
SHADOWS = 4


def train(folder: Path, names: list[str]) -> None:
    for name in names or list(STUDIES):
        counts, (model, knobs), settings, size = STUDIES[name]
        data = vestige.load_dataset(name)
        splits = {
            request: vestige.make_split(data, seed=7, **options, **counts)
            for request, options in REQUESTS.items()
        }
        split = splits["random"]

        def fit(rows, seed, data=data, model=model, knobs=knobs, settings=settings):
            start = time.perf_counter()
            fresh = vestige.build_model(model, data.shape, len(data.classes), seed=seed, **knobs)
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


def table(folder: Path, shadows: int) -> None:
    """Print AUC and TNR at FNR 1 % of every measure, a column for each data set and request."""
    columns = [
        (name, request) for name in STUDIES for request in REQUESTS if (folder / f"{name}-{request}").is_dir()
    ]
    found = {column: _figures(Signals.load(folder / "-".join(column)), shadows) for column in columns}
    for figure, title in (("auc", "AUC"), ("tnr_at_fnr_1%", "TNR at FNR 1 %")):
        print(f"\n{title}, {'one OUT shadow' if shadows == 1 else 'four shadows'}\n")
        print("| measure |" + "".join(f" {name}, {request} |" for name, request in columns) + " seconds |")
        print("| --- |" + " --- |" * (len(columns) + 1))
        for measure in (name for name in MEASURES if MEASURES[name].of_samples):
            cells = [found[column][measure] for column in columns]
            values = "".join(f" {cell if isinstance(cell, str) else _cell(cell, figure)} |" for cell in cells)
            seconds = [cell[2] for cell in cells if not isinstance(cell, str)]
            print(f"| `{measure}` |{values} {max(seconds, default=0):.2f} |")


def _cell(found, figure: str) -> str:
    value, spread, _ = found
    return f"{value[figure]:.3f} [{spread[figure][0]:.3f}, {spread[figure][1]:.3f}]"


def _figures(signals: Signals, shadows: int):
    """Return, for each measure, its figures, their intervals and its seconds; or why it has none."""
    if shadows == 1:
        known = signals.calibration
        known = None if known is None else known.with_(shadow_out=known.shadow_out[:1])
        others = signals.population.with_(shadow_out=signals.population.shadow_out[:1])
        signals = signals.with_(shadow_out=signals.shadow_out[:1], calibration=known, population=others)
    found = {}
    for name in (name for name in MEASURES if MEASURES[name].of_samples):
        start = time.perf_counter()
        try:
            scores = vestige.measure(name, signals)
        except InputError as error:
            found[name] = str(error).split(":")[0]
            continue
        seconds = time.perf_counter() - start
        groups = scores[signals.roles == "forget"], scores[signals.roles == "retain"]
        found[name] = figures(*groups), bootstrap(*groups, draws=500), seconds
    return found


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("train", "table"):
        sys.exit(__doc__)
    if sys.argv[1] == "train":
        train(Path(sys.argv[2]), sys.argv[3:])
    else:
        table(Path(sys.argv[2]), 1 if "1" in sys.argv[3:] else SHADOWS)
