"""Run an experiment: plan, do the steps, gather the figures into one result file; and say how far a run is.

store/results/NAME-SCALE.json   figures of every cell, with the configuration and what is missing, and why
store/status/NAME-SCALE.json    how far the run is; any terminal reads it. Of a store behind a URL, it stays on the
                                runner's machine
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import vestige
from vestige.arguments import Count, NotNegative, checked
from vestige.config import validated
from vestige.errors import ArtefactError, InputError
from vestige.experiments.bench.engines import engine, execute
from vestige.experiments.bench.experiment import Experiment, experiments
from vestige.experiments.bench.plan import Cell, cells_of, content
from vestige.experiments.bench.steps import Step, Store, ordered
from vestige.store import read_json, room_in, write_json, write_text

FORMAT = 1
DIGITS = 6
BEAT = 10.0
"""Seconds after which a runner writes its status file though nothing has changed."""
SILENT = 120.0
"""Seconds without a sign of life after which a runner seems to have stopped."""
Say = Callable[[str], None]


class _Cell(BaseModel):
    column: str
    row: str
    group: int
    figures: dict[str, list[list[float | None]]]


class _Result(BaseModel):
    """What tables and pictures read of a result file."""

    name: str
    scale: str
    content: str
    experiment: dict[str, Any]
    cells: list[_Cell]
    missing: list[dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What a run gave: the result file's path and content, seconds, and how many steps were done, kept, and failed."""

    path: Path
    result: dict[str, Any]
    seconds: float
    done: int
    kept: int
    failed: int = 0

    @property
    def missing(self) -> list[dict[str, Any]]:
        return list(self.result["missing"])


@checked
def run_bench(
    experiment: Experiment,
    scale: str = "small",
    *,
    store: str | Path = "runs/bench",
    root: str | None = None,
    engine_name: str = "local",
    workers: Count | None = None,
    address: str | None = None,
    gpu: NotNegative = 0.0,
    say: Say = lambda text: None,
    progress: bool = False,
) -> Outcome:
    """Fill a table; what is in the store is not done again.

    store    a folder, or an fsspec URL such as s3://bucket/bench
    root     the folder of data sets; default: VESTIGE_DATA
    engine_name  "local" or "ray"; `address` of the Ray cluster, `workers` at once (default: cores of the engine)
    gpu      share of a GPU that each step with a network asks for, on Ray

    Raises `InputError` before any work where `cells_of` does, or the disk has no room; and where it is full when the
    result is written. A cell that could not be filled is listed as missing, with its reason.
    """
    start = time.perf_counter()
    kept = Store(store)
    cells = cells_of(experiment, scale, root)
    steps = ordered(cell.step for cell in cells)
    _room(kept, steps)
    status_path = kept.folder / "status" / f"{experiment.name}-{scale}.json"
    with (
        engine(engine_name, str(store), root, workers=workers, address=address, gpu=gpu) as where,
        _Watch(status_path, steps, where.workers, progress, say) as watch,
    ):
        states = execute([c.step for c in cells], kept, where, watch.told, watch.beat)
    found = gathered(experiment, scale, cells, kept, {k: s.get("why", "") for k, s in states.items()})
    file = _result_file(experiment, scale)
    path = kept.folder / file
    with room_in(path):
        write_text(path, json.dumps(found, allow_nan=False) + "\n")
    kept.publish(file)
    ended = ["kept" if s.get("kept") else s["state"] for s in states.values()]
    done, old, failed = (ended.count(state) for state in ("done", "kept", "failed"))
    return Outcome(path, found, time.perf_counter() - start, done, old, failed)


def _result_file(experiment: Experiment, scale: str) -> str:
    return f"results/{experiment.name}-{scale}.json"


def result_path(store: str | Path, experiment: Experiment, scale: str) -> Path:
    """Return where an experiment's result file is on this machine; fetched first from a store behind a URL."""
    return Store(store).fetch(_result_file(experiment, scale))


def gathered(
    experiment: Experiment, scale: str, cells: list[Cell], store: Store, why: dict[str, str]
) -> dict[str, Any]:
    """Return the result file's content from kept results: {"cells": [...], "missing": [...], ...}."""
    table: dict[tuple[str, str, int], dict[str, Any]] = {}
    missing: list[dict[str, Any]] = []
    for cell in cells:
        if not store.done(cell.step):
            rows = [cell.step.what["row"]] if "row" in cell.step.what else list(experiment.rows)
            missing += [
                {
                    "column": cell.column,
                    "row": row,
                    "number": cell.number,
                    "why": why.get(cell.step.key, "not run yet"),
                }
                for row in rows
            ]
            continue
        own = read_json(store.path(cell.step))
        missing += [{"number": cell.number, **gap, "column": _column(cell, gap)} for gap in own["missing"]]
        for part in own["cells"]:
            place = table.setdefault((_column(cell, part), part["row"], part["group"]), {})
            for figure, values in part["figures"].items():
                place.setdefault(figure, []).append([round(v, DIGITS) for v in values])
    return {
        "kind": "vestige bench", "format": FORMAT, "vestige": vestige.__version__, "name": experiment.name,
        "scale": scale, "content": content(experiment, scale),
        "experiment": experiment.model_dump(mode="json", exclude={"small", "paper"} - {scale}),
        "cells": [
            {"column": column, "row": row, "group": group, "figures": figures}
            for (column, row, group), figures in table.items()
        ],
        "missing": missing,
    }  # fmt: skip


def _column(cell: Cell, part: dict[str, Any]) -> str:
    """Return the column of a part of a cell's result: a run on texts gives one for each model."""
    return f"{cell.column} · {part['column']}" if "column" in part else cell.column


def read_result(path: Path, experiment: Experiment | None = None, again: str | None = None) -> dict[str, Any]:
    """Read a result file.

    again  the command that makes it anew, for messages

    Raises `InputError` where it is another kind of file, of another version of vestige, or, given `experiment`, of
    another configuration: figures of two versions are never mixed.
    """
    found = read_json(path)
    if not isinstance(found, dict) or found.get("kind") != "vestige bench":
        raise InputError(f"{path}: not a result file of vestige bench.")
    if (found.get("format"), found.get("vestige")) != (FORMAT, vestige.__version__):
        raise InputError(
            f"{path} is of vestige {found.get('vestige')} (format {found.get('format')}), this is "
            f"{vestige.__version__} (format {FORMAT}); run it again: {again or _again(found)}"
        )
    whole = validated(_Result, found, f"{path}: this result file was changed by hand, or cut off")
    validated(Experiment, whole.experiment, f"{path}: this result file was changed by hand")
    if experiment is not None and found["content"] != content(experiment, found["scale"]):
        raise InputError(
            f"{path} is of another configuration of {experiment.name}; run it again: {again or _again(found)}"
        )
    return found


def _again(found: dict[str, Any]) -> str:
    """Return the command that makes a result anew; of an experiment of one's own, the file is not known."""
    name, scale = found.get("name"), found.get("scale")
    if name in experiments():
        return f"vestige bench run {name} --scale {scale}"
    return f"vestige bench run FILE.yaml --scale {scale}, with the file of {name!r}"


def _room(store: Store, steps: list[Step]) -> None:
    """Refuse to start where the disk cannot hold the models and outputs that are still to be made."""
    wanted = sum(_bytes(s) for s in steps if not store.path(s).exists())
    store.folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.folder).free
    if free < wanted:
        raise InputError(
            f"{store.folder}: the disk has {free / 1e9:.1f} GB free and the run needs about {wanted / 1e9:.1f} GB."
        )


def _bytes(one: Step) -> float:
    """Return about how large a step's result is: weights and outputs; other files are small."""
    if one.kind == "audited_texts":
        return 1e9 * (2 + len(one.what["config"].get("methods", ())))
    if one.kind in ("trained", "unlearned"):
        return 50e6 if "resnet" in one.what["model"]["name"] else 5e6
    counts = one.what.get("counts", {})
    rows = sum(counts.get(part, 0) for part in ("train", "holdout", "shadow"))
    return (
        400.0 * rows * (20 if one.kind == "along_training" else 1)
        if one.kind in ("outputs", "along_training")
        else 1e5
    )


def sort_of(one: Step) -> str:
    """What a step's time is guessed from: its function, and the network and the data where it has them."""
    model, data = one.what.get("model", {}), one.what.get("data", {})
    return " ".join(filter(None, [one.kind, model.get("name"), data.get("name")]))


class _Watch:
    """Keeps the status file, and shows a progress bar with the time that is left."""

    def __init__(self, path: Path, steps: list[Step], workers: int, progress: bool, say: Say) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.path, self.say, self.started, self.workers = path, say, time.time(), workers
        self.steps = {
            s.key: {"label": s.label or s.kind, "kind": sort_of(s), "state": "waiting", "key": s.key}
            for s in steps
        }
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), disable=not progress,
        )  # fmt: skip
        self._task = self._bar.add_task("steps", total=len(steps), left="")
        self._written = 0.0

    def __enter__(self) -> _Watch:
        self._bar.start()
        self._write()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
        self._write(ended=time.time())

    def told(self, one: Step, state: str, facts: dict[str, Any]) -> None:
        """Note a change of one step's state."""
        own = self.steps[one.key]
        own |= {"state": state} | {k: facts[k] for k in ("started", "seconds", "why", "below") if k in facts}
        if state in ("done", "failed", "kept"):
            self._bar.advance(self._task)
            left = time_left(self.steps, self.workers)
            self._bar.update(self._task, left="" if left is None else f"about {left:.0f} s left")
        if state == "failed" and not facts.get("below"):
            self.say(f"{own['label']}: {facts['why']}")
        if state in ("running", "failed") or time.time() - self._written > 0.5:
            self._write()  # what runs now may run for long: nothing would write it later

    def beat(self) -> None:
        """Show that the runner lives, where nothing was written for a while."""
        if time.time() - self._written > BEAT:
            self._write()

    def _write(self, **more: float) -> None:
        self._written = time.time()
        record = {
            "started": self.started, "workers": self.workers, "steps": list(self.steps.values()), **more,
            "written": self._written,
        }  # fmt: skip
        with suppress(OSError):  # a full disk: the run does without, and the next write tries again
            write_json(self.path, record, flush=False)


def time_left(steps: dict[str, dict[str, Any]], workers: int) -> float | None:
    """Return about how many seconds are left, from the mean time of each kind of step; None before any is done."""
    spent: dict[str, list[float]] = {}
    for one in steps.values():
        if one["state"] == "done":
            spent.setdefault(one["kind"], []).append(float(one.get("seconds", 0)))
    if not spent:
        return None
    everything = [s for own in spent.values() for s in own]
    usual = sum(everything) / len(everything)
    means = {kind: sum(own) / len(own) for kind, own in spent.items()}
    todo = [one for one in steps.values() if one["state"] in ("waiting", "running")]
    return sum(means.get(one["kind"], usual) for one in todo) / max(1, workers)


def status(store: str | Path) -> list[dict[str, Any]]:
    """Return how far each run in a store is: name, counts by state, failures, seconds left (None: not known).

    A runner that has given no sign of life for two minutes seems to have stopped: the run ended with its last sign, and
    the runner is among what failed. A file that is no status of a run is passed over.
    """
    found = []
    for path in sorted((Store(store).folder / "status").glob("*.json")):
        record = _status_record(path)
        if record is None:
            continue
        steps = {s["key"]: s for s in record["steps"]}
        counts: dict[str, int] = {}
        for one in steps.values():
            counts[one["state"]] = counts.get(one["state"], 0) + 1
        failed = [
            {"label": s["label"], "why": s.get("why", "")}
            for s in steps.values()
            if s["state"] == "failed" and not s.get("below")
        ]
        ended, silent = record.get("ended"), time.time() - record["written"]
        stopped = ended is None and silent > SILENT
        if stopped:
            ended = record["written"]
            ago = f"it seems to have stopped {silent / 60:.0f} minutes ago"
            failed.append({
                "label": "the runner", "why": f"{ago}; the same command goes on, finished steps are kept",
            })  # fmt: skip
        found.append({
            "name": path.stem, "steps": len(steps), "counts": counts, "failed": failed,
            "running": [s["label"] for s in steps.values() if s["state"] == "running"] if ended is None else [],
            "seconds": (ended or time.time()) - record["started"], "ended": ended is not None, "stopped": stopped,
            "left": None if ended is not None else time_left(steps, record.get("workers", 1)),
        })  # fmt: skip
    return found


def _status_record(path: Path) -> dict[str, Any] | None:
    """Return what a status file holds; None where a crash has cut it off, or it is another file."""
    try:
        record = read_json(path)
    except (ArtefactError, OSError):
        return None
    if not isinstance(record, dict) or not {"started", "written", "steps"} <= record.keys():
        return None
    steps = record["steps"]
    whole = isinstance(steps, list) and all(
        isinstance(s, dict) and {"key", "label", "state"} <= s.keys() for s in steps
    )
    return record if whole else None
