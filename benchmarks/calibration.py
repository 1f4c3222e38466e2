"""Do per-record p-values keep their rate with 1, 2, 3 and 8 shadows? Trained worlds and simulated ones.

    python -m benchmarks.worlds FOLDER DATA --shadows 8                          trains the worlds
    python -m benchmarks.calibration real FOLDER FILE [--data digits ...] [--worlds 5]      appends to FILE.jsonl
        [--audited retrain|finetune|original] [--shape shadow|other]
    python -m benchmarks.calibration simulate FILE [--worlds 200] [--slow 25] [--counts 1 2 3 8]
            [--measures iam ...] [--only TEXT]
        appends to FILE.jsonl; figures of fewer worlds than these are computed again
    python -m benchmarks.calibration order FOLDER           prints how well training keeps the order of records
    python -m benchmarks.calibration table FILE             prints the tables, as `benchmarks.tables` writes them

For each measure: the share of forgotten records with p_under <= 5 % (a false accusation where the model was retrained
without them), the same share of retained records (the power), and the share of forgotten records with p_over <= 5 %.
What calibrates measures that compare with the original is, by the number of shadows: records that no model saw with
what the original would have said of them (counterfactual); the shadows' training records with the roles exchanged
(exchanged; of two shadows, the other is a second reference beside the original), or with the other shadow alone as the
reference, one for the audited records too (pairs); simulated deletions. Other measures are calibrated by never-seen
records (holdout).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Row, world
from benchmarks.worlds import STUDIES
from vestige.evaluation.calibration import (
    Deletions,
    Reference,
    deletions_of,
    nulls_of,
    reference_scores,
)
from vestige.measures import MEASURES, measure
from vestige.signals import Signals, exchanged_deletions, simulated_deletions
from vestige.signals.counterfactual import agreement

MEASURED = (
    "iam", "monotone", "rmia_ratio", "rmia_offline", "informia", "lira_online", "lira_offline", "update_lira",
    "bavaria", "quantile", "dratio", "loss_difference", "scaled_logit_difference", "confidence_difference",
    "emia_population", "linear_gap",
)  # fmt: skip
WAYS: tuple[tuple[int, str], ...] = (
    (1, "counterfactual"), (2, "counterfactual"), (3, "counterfactual"), (8, "counterfactual"),
    (1, "exchanged"), (2, "exchanged"), (2, "pairs"), (3, "simulated"), (8, "simulated"),
)  # fmt: skip
OTHER_REQUESTS: tuple[tuple[int, str], ...] = ((1, "counterfactual"), (3, "counterfactual"), (3, "simulated"))
COUNTS = (1, 2, 3, 8)
PARTS: dict[str, Sequence[tuple[int, str]]] = {
    "random": WAYS, "other": OTHER_REQUESTS, "simulated": tuple((count, "counterfactual") for count in COUNTS),
}  # fmt: skip
WITHOUT_SHADOWS = ("quantile", "emia_population")  # the same with any number of them
BY_NEVER_SEEN = (
    "rmia_offline",
    "informia",
    "lira_offline",
    "linear_gap",
    *WITHOUT_SHADOWS,
)  # whatever the null
SLOW = ("monotone", "quantile")  # simulated in fewer worlds
LEVEL, LIMIT = 0.05, 0.08
TRACED = "half unlearned"  # what is accused there bears a trace
AUDITED_WORDS = {"retrain": "", "finetune": ", finetuned", "original": ", untouched"}
SHAPE_WORDS = {"shadow": "", "other": ", shadows of another shape"}
SIMULATED = (
    Row("exact"),
    Row("exact, imbalance 1 to 90", imbalance=0.5),
    Row("exact, the hardest fifth", chosen="hard by truth"),
    Row("damaged by half", share=1.0, strength=-0.5),
    Row(TRACED, share=1.0, strength=0.5),
    Row("exact, memory saturates", saturation=1.0),
    Row("exact, memory saturates and moves records by twice the noise", saturation=1.0, seen_noise=2.0),
)
SHIFT = "exact, never-seen records easier by half a deviation"
SIZE = {"n": 100, "q": 400, "m": 400, "pool": 0, "gap": 2.0}


@dataclass(frozen=True)
class Shares:
    """Shares at 5 %: of forgotten records p_under, of retained ones p_under, of forgotten ones p_over."""

    under: float
    power: float
    over: float


def columns(margins: NDArray[Any], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return logits [..., classes] whose scaled logit of the true label is the margin, the others alike."""
    margins = margins.astype(np.float64)
    logits = np.zeros((*margins.shape, classes))
    logits[..., np.arange(len(labels)), labels] = margins + np.log(max(classes - 1, 1))
    return logits


def signals_of(
    file: Path, request: str, audited: str, count: int, null: str, shape: str = "shadow"
) -> Signals:
    """Return the signals of one trained world with so many shadows, and what that null takes.

    Parameters
    ----------
    shape : str
        "shadow", or "other": the shadow of another shape than the original, one of it.
    """
    with np.load(file) as arrays:
        own = "original" if audited == "original" else f"{audited}-{request}"
        names = [f"{shape}-{number}" for number in range(count)]
        keys = ("labels", "source", "seen", "original", own, f"forget-{request}", *names)
        one = {key: arrays[key] for key in keys}
    labels, source, seen = one["labels"], one["source"], one["seen"][:count]
    role = np.where(source == "train", "retain", "holdout")
    role[one[f"forget-{request}"]] = "forget"
    models = {key: columns(one[key], labels, int(labels.max()) + 1) for key in ("original", own, *names)}
    shadows, ids = np.stack([models[name] for name in names]), np.arange(len(role)).astype(str)
    fields: dict[str, Any] = {}
    if null in ("exchanged", "pairs"):
        known = exchanged_deletions(labels, shadows, seen, models["original"], models[own], ids=ids)
        if null == "pairs":
            known, shadows = known.with_(shadow_out=known.shadow_out[1:]), shadows[:1]
        fields["shadow_train"] = known
    elif null == "simulated":
        pool = source == "pool"
        fields["calibration"] = simulated_deletions(
            labels[pool], shadows[:, pool], seen[:, pool], ids=ids[pool]
        )
        shadows = shadows[: fields["calibration"].shadows]
    asked = np.flatnonzero(~seen.any(axis=0))
    return Signals(
        labels[asked], models[own][asked], models["original"][asked], shadows[:, asked], role=role[asked],
        ids=ids[asked], source=source[asked], **fields,
    )  # fmt: skip


def worlds_of(folder: Path, data: str) -> list[Path]:
    """Return the files of the trained worlds, by their seed."""
    return sorted(folder.glob(f"{data}-*.npz"), key=lambda path: int(path.stem.split("-")[1]))


def deletions_by(signals: Signals, null: str) -> Deletions | str:
    """Return the exact deletions of that kind, whichever the audit would take."""
    if null in ("exchanged", "pairs"):
        assert signals.shadow_train is not None
        return Deletions(signals.shadow_train, "exchanged")
    if null == "simulated":
        assert signals.calibration is not None
        return Deletions(signals.calibration, "simulated")
    return deletions_of(signals)


def shares(signals: Signals, name: str, deletions: Deletions | str) -> Shares | str:
    """Return the shares at 5 %, or the sentence that says why there are none."""
    scores = measure(name, signals)
    known = reference_scores(name, signals, scores, MEASURES[name].resolve({}), nulls_of(signals, deletions))
    if not isinstance(known, Reference):
        return known
    under, over = known.p_values(scores)
    forget, retain = (signals.roles == role for role in ("forget", "retain"))
    return Shares(*(float((p <= LEVEL).mean()) for p in (under[forget], under[retain], over[forget])))


def records(
    key: dict[str, Any], names: Sequence[str], worlds: Sequence[Callable[[], Signals]]
) -> Iterator[dict[str, Any]]:
    """Yield a record of each measure over the worlds of one cell."""
    start, every = time.process_time(), {name: [] for name in names}
    for draw in worlds:
        signals = draw().remembering()
        deletions = deletions_by(signals, key["null"])
        for name in names:
            every[name].append(shares(signals, name, deletions))
    seconds = time.process_time() - start
    for name in names:
        known = [each for each in every[name] if isinstance(each, Shares)]
        silent = next((each for each in every[name] if isinstance(each, str)), None)
        record = key | {"measure": name, "worlds": len(known), "seconds": round(seconds, 1)}
        for field in ("under", "power", "over"):
            values = np.array([getattr(each, field) for each in known])
            record[field] = round(float(values.mean()), 5) if len(values) else None
            record[f"{field} error"] = (
                round(float(values.std(ddof=1) / np.sqrt(len(values))), 5) if len(values) > 1 else None
            )
        yield record | ({"silent": silent} if silent else {})


def append(
    file: Path,
    key: dict[str, Any],
    names: Sequence[str],
    worlds: Sequence[Callable[[], Signals]],
    fewest: int = 0,
) -> None:
    """Compute a cell and append its records, where the file has them not, or of fewer than `fewest` worlds."""
    lines = file.read_text().splitlines() if file.exists() else []
    known = {one["measure"]: one for one in map(json.loads, lines) if key.items() <= one.items()}
    wanted = [name for name in names if name not in known or known[name]["worlds"] < fewest]
    if not wanted or not worlds:
        return
    computed = {one["measure"]: one for one in records(key, wanted, worlds)}
    places = {lines.index(json.dumps(known[name])): name for name in wanted if name in known}
    lines = [json.dumps(computed.pop(places[n])) if n in places else line for n, line in enumerate(lines)]
    lines += map(json.dumps, computed.values())
    file.write_text("".join(f"{line}\n" for line in lines))
    print(", ".join(map(str, key.values())), *wanted, flush=True)


def real(
    folder: Path,
    file: Path,
    data: Sequence[str],
    worlds: int,
    requests: Sequence[str],
    audited: str = "retrain",
    shape: str = "shadow",
) -> None:
    """Append the figures of each request and way; other models than retrains and other shapes are named in it."""
    words = AUDITED_WORDS[audited] + SHAPE_WORDS[shape]
    for name in data:
        for request in STUDIES[name].requests:
            if request not in requests:
                continue
            wanted = "original" if audited == "original" else f"{audited}-{request}"
            for count, null in WAYS if request == "random" and not words else OTHER_REQUESTS:
                files = []
                for path in worlds_of(folder, name):
                    with np.load(path) as arrays:
                        if {wanted, f"{shape}-{count - 1}", f"forget-{request}"} <= set(arrays.files):
                            files.append(path)
                draws = [
                    lambda path=path, request=request, count=count, null=null: signals_of(
                        path, request, audited, count, null, shape
                    )
                    for path in files[:worlds]
                ]
                key = {"data": name, "request": request + words, "shadows": count, "null": null}
                append(file, key, measured(count, null), draws)


def order(folder: Path) -> None:
    """Print the rank correlation of original and shadow on never-seen and on training records, over the worlds."""
    print("| data | worlds | never seen | trained on | worlds in which the order is lost |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in STUDIES:
        files = worlds_of(folder, name)
        each = [agreement(signals_of(file, "random", "retrain", 1, "counterfactual")) for file in files]
        if each:
            never, trained = (
                np.mean([getattr(one, key) for one in each]) for key in ("never_seen", "trained")
            )
            print(f"| {name} | {len(each)} | {never:.2f} | {trained:.2f} | {sum(one.lost for one in each)} |")


def measured(count: int, null: str) -> list[str]:
    """Return the measures on which such a cell says something new."""
    known = BY_NEVER_SEEN if null != "counterfactual" else WITHOUT_SHADOWS if count > 1 else ()
    return [name for name in MEASURED if name not in known]


def drawn(row: Row, seed: int, shift: float = 0.0) -> Signals:
    """Return a simulated world as signals; `shift`: by how much never-seen records are easier to every model."""
    margins = world(row, seed).margins
    easier = shift * (margins.role == "holdout")
    labels, classes = margins.labels, row.classes
    models = (
        columns(one + easier, labels, classes)
        for one in (margins.unlearned, margins.original, margins.shadows)
    )
    return Signals(labels, *models, role=margins.role)


def simulate(
    file: Path, worlds: int, slow_worlds: int, counts: Sequence[int], measures: Sequence[str], only: str
) -> None:
    """Append the figures of every kind of world; the slow measures come last, of every so many-th world."""
    kinds = [(row, row.name, 0.0) for row in SIMULATED] + [(Row(""), SHIFT, 0.75)]
    kinds = [(row, name, shift) for row, name, shift in kinds if only in name]
    for slow in (False, True):
        for row, name, shift in kinds:
            for count in counts:
                one = Row(**{**row.__dict__, **SIZE, "shadows": count})
                draws = [
                    lambda seed=seed, one=one, shift=shift: drawn(one, seed, shift)
                    for seed in range(0, worlds, worlds // slow_worlds if slow else 1)
                ]
                key = {"data": "simulated", "request": name, "shadows": count, "null": "counterfactual"}
                names = [name for name in measured(count, "counterfactual") if name in measures]
                names = [name for name in names if (name in SLOW) is slow]
                append(file, key, names, draws, len(draws))


def table(file: Path, part: str) -> str:
    """Return the tables of a part, "random", "other" or "simulated": false accusations (power), bold above 8 %."""
    known = [json.loads(line) for line in file.read_text().splitlines()]
    cells = {(r["data"], r["request"], r["shadows"], r["null"], r["measure"]): r for r in known}
    ways: Sequence[tuple[int, str]] = PARTS[part]
    heads = " | ".join(f"{count} {null}" for count, null in ways)
    lines = [f"| data, request | measure | worlds | {heads} |\n| --- | --- | ---: |" + " ---: |" * len(ways)]
    most = [f"| data, request | {heads} |\n| --- |" + " --- |" * len(ways)]
    for data, request in dict.fromkeys((r["data"], r["request"]) for r in known):
        if part != ("simulated" if data == "simulated" else "random" if request == "random" else "other"):
            continue
        for name in MEASURED:
            row = [cells.get((data, request, *way, name)) for way in ways]
            if any(row):
                counts = sorted({cell["worlds"] for cell in row if cell})
                words = " to ".join(map(str, counts[:: max(len(counts) - 1, 1)]))
                lines.append(
                    f"| {data}, {request} | `{name}` | {words} | " + " | ".join(map(_cell, row)) + " |"
                )
        each = [
            [r for r in known if (r["data"], r["request"], r["shadows"], r["null"]) == (data, request, *way)]
            for way in ways
        ]
        most.append(f"| {data}, {request} | " + " | ".join(map(_largest_over, each)) + " |")
    words = "The largest share of forgotten records with `p_over` at most 5 %, and its measure:"
    return "\n".join([*lines, "", words, "", *most])


def _cell(record: dict[str, Any] | None) -> str:
    if record is None or record["under"] is None:
        return ""
    request = record["request"]
    power = "" if request.startswith("class") else f" ({record['power']:.0%})"
    text = f"{record['under']:.1%}{power}"
    traced = request == TRACED or any(words and words in request for words in AUDITED_WORDS.values())
    return f"**{text}**" if record["under"] > LIMIT and not traced else text


def _largest_over(records: list[dict[str, Any]]) -> str:
    known = [record for record in records if record["over"] is not None]
    if not known:
        return ""
    most = max(known, key=lambda record: record["over"])
    return f"{most['over']:.1%} `{most['measure']}`"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="what", required=True)
    trained = commands.add_parser("real")
    trained.add_argument("folder", type=Path)
    trained.add_argument("file", type=Path)
    trained.add_argument("--data", nargs="+", default=list(STUDIES), choices=tuple(STUDIES))
    trained.add_argument("--requests", nargs="+", default=["random", "class", "partial", "hard", "easy"])
    trained.add_argument("--worlds", type=int, default=5)
    trained.add_argument("--audited", choices=tuple(AUDITED_WORDS), default="retrain")
    trained.add_argument("--shape", choices=tuple(SHAPE_WORDS), default="shadow", help="of the shadows")
    simulation = commands.add_parser("simulate")
    simulation.add_argument("file", type=Path)
    simulation.add_argument("--worlds", type=int, default=200)
    simulation.add_argument("--slow", type=int, default=25, help="worlds of monotone and quantile")
    simulation.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    simulation.add_argument("--measures", nargs="+", default=list(MEASURED), choices=MEASURED)
    simulation.add_argument("--only", default="", help="kinds of world with this in their name")
    commands.add_parser("order").add_argument("folder", type=Path)
    shown = commands.add_parser("table")
    shown.add_argument("file", type=Path)
    options = parser.parse_args()
    if options.what == "real":
        sys.exit(real(
            options.folder, options.file, options.data, options.worlds, options.requests, options.audited,
            options.shape,
        ))  # fmt: skip
    if options.what == "order":
        sys.exit(order(options.folder))
    if options.what == "simulate":
        chosen = (options.counts, options.measures, options.only)
        sys.exit(simulate(options.file, options.worlds, options.slow, *chosen))
    print("\n\n".join(table(options.file, part) for part in PARTS))
