"""Do per-record p-values keep their rate with one shadow, two and three? Trained worlds, exact retrains.

    python -m benchmarks.claims_real train FOLDER digits|location30|adult [--seeds 40]    trains the worlds
    python -m benchmarks.calibration FOLDER [DATA ...] [--requests random] [--audited retrain] [--worlds 40] [--over]

For each measure that compares with the original: the share of forgotten records with p_under <= 5 % (with --over:
p_over), which is a false accusation where the model was retrained without them, with its standard error over worlds,
and in brackets the same share of retained records, the power. Columns: the number of shadows, and what calibrates: the
records that no model saw with what the original would have said of them (counterfactual); the shadows' training
records with the roles exchanged (exchanged; of two shadows, the other is a second reference beside the original), or
with the other shadow alone as the reference, one for the audited records too (pairs); simulated deletions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.claims_real import STUDIES
from vestige.evaluation.calibration import Deletions, Reference, deletions_of, reference_scores
from vestige.measures import MEASURES, measure
from vestige.signals import Signals, exchanged_deletions, simulated_deletions

COMPARING = (
    "iam", "lira_online", "update_lira", "rmia_ratio", "loss_difference", "scaled_logit_difference",
    "confidence_difference", "dratio", "monotone",
)  # fmt: skip
WAYS = (
    "1 counterfactual",
    "1 exchanged",
    "2 counterfactual",
    "2 exchanged",
    "2 pairs",
    "3 counterfactual",
    "3 simulated",
)
LEVEL = 0.05


def two_columns(margins: np.ndarray) -> np.ndarray:
    """Return logits [..., 2] whose scaled logit of class 0 is the margin."""
    margins = margins.astype(np.float64)
    return np.stack([margins, np.zeros_like(margins)], axis=-1)


def signals_of(file: Path, request: str, audited: str, way: str) -> Signals:
    """Return the signals of one trained world with the calibration that so many shadows give."""
    with np.load(file) as arrays:
        world = {name: arrays[name] for name in arrays}
    count = int(way[0])
    role = np.where(world["source"] == "train", "retain", "holdout")
    role[world[f"forget-{request}"]] = "forget"
    models = {
        name: two_columns(world[name]) for name in world if name.startswith(("original", "shadow", audited))
    }
    shadows = np.stack([models[f"shadow-{number}"] for number in range(count)])
    seen = world["seen"][:count]
    own = models["original" if audited == "original" else f"{audited}-{request}"]
    labels, ids = np.zeros(len(role), np.int64), np.arange(len(role)).astype(str)
    asked = np.flatnonzero(~seen.any(axis=0))
    fields: dict[str, Any] = {}
    if count < 3:
        fields["shadow_train"] = exchanged_deletions(labels, shadows, seen, models["original"], own, ids=ids)
    else:
        pool = world["source"] == "pool"
        fields["calibration"] = simulated_deletions(
            labels[pool], shadows[:, pool], seen[:, pool], ids=ids[pool]
        )
        shadows = shadows[: fields["calibration"].shadows]
    if way.endswith("counterfactual"):
        fields = {}
    if way == "2 pairs":
        known = fields["shadow_train"]
        fields["shadow_train"] = known.with_(shadow_out=known.shadow_out[1:], shadow_train=None)
        shadows = shadows[:1]
    return Signals(
        labels[asked], own[asked], models["original"][asked], shadows[:, asked], role=role[asked], ids=ids[asked],
        source=world["source"][asked], group=world["labels"][asked].astype(str), **fields,
    )  # fmt: skip


def worlds_of(folder: Path, data: str) -> list[Path]:
    """Return the files of the trained worlds, by their seed."""
    return sorted(folder.glob(f"{data}-*.npz"), key=lambda path: int(path.stem.split("-")[1]))


def shares(signals: Signals, name: str, way: str, over: bool) -> tuple[float, float]:
    """Return the shares of forgotten and of retained records with p_under, or p_over, at most 5 %."""
    options = MEASURES[name].resolve({})
    scores = measure(name, signals)
    kind = way.split()[-1]
    deletions = (
        Deletions(signals.shadow_train, "exchanged")
        if kind in ("exchanged", "pairs")
        else deletions_of(signals)
    )
    known = reference_scores(name, signals, scores, options, deletions)
    if not isinstance(known, Reference):
        raise ValueError(known)
    p = known.p_values(scores)[int(over)]
    return tuple(float((p[signals.roles == role] <= LEVEL).mean()) for role in ("forget", "retain"))


def rows(options: argparse.Namespace, data: str, request: str) -> Iterator[str]:
    files = worlds_of(options.folder, data)[: options.worlds]
    every: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for file in files:
        for way in options.ways:
            signals = signals_of(file, request, options.audited, way).remembering()
            for name in options.measures:
                every.setdefault((name, way), []).append(shares(signals, name, way, options.over))
    for name in options.measures:
        cells = []
        for way in options.ways:
            wrong, power = np.array(every[name, way]).T
            error = wrong.std(ddof=1) / np.sqrt(len(wrong)) if len(wrong) > 1 else np.nan
            cells.append(f"{wrong.mean():.1%} ± {error:.1%} ({power.mean():.0%})")
        yield f"| {data} | {request} | {name} | {len(files)} | " + " | ".join(cells) + " |"


def main(options: argparse.Namespace) -> None:
    heads = ["data", "request", "measure", "worlds", *options.ways]
    print("| " + " | ".join(heads) + " |\n| --- | --- | --- | ---: |" + " ---: |" * len(options.ways))
    for data in options.data or STUDIES:
        for request in options.requests:
            for line in rows(options, data, request):
                print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="*")
    parser.add_argument("--requests", nargs="+", default=["random"])
    parser.add_argument("--audited", default="retrain")
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--over", action="store_true")
    parser.add_argument("--measures", nargs="+", default=[name for name in COMPARING if name in MEASURES])
    sys.exit(main(parser.parse_args()))
