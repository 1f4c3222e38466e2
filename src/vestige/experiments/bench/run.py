"""Run an experiment: plan, do the steps, gather the figures into one result file.

store/results/NAME-SCALE.json   figures of every cell, with the configuration and what is missing, and why
store/status/NAME-SCALE.json    how far the run is; any terminal reads it. Of a store behind a URL, it stays on the
                                runner's machine
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import vestige
from vestige.arguments import Count, NotNegative, checked
from vestige.config import validated
from vestige.data.source import read_anew
from vestige.errors import InputError, unknown
from vestige.experiments.catalogue import experiments
from vestige.experiments.cells import Cell, Figures, Gap, read_figures
from vestige.experiments.experiment import Experiment
from vestige.experiments.kinds import kind_of
from vestige.graph import Environment, Store, carry_out
from vestige.graph.execute import Outcome as Done
from vestige.store import read_json, room_in, write_text

FORMAT = 1
DIGITS = 6
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

    Parameters
    ----------
    store : str or Path
        A folder, or an fsspec URL such as s3://bucket/bench.
    root : str or None
        The folder of data sets; default: VESTIGE_DATA.
    engine_name : str
        "inline", "local" or "ray"; `address` of the Ray cluster; `workers`: steps at once (default: as many
        as the engine has cores).
    gpu : float
        Share of a GPU that each step with a network asks for, on Ray.

    Raises
    ------
    InputError
        Before any work where `cells_of` does, or the disk has no room; and where it is full when the result
        is written. A cell that could not be filled is listed as missing, with its reason.
    """
    start = time.perf_counter()
    results = Store.at(store)
    cells = cells_of(experiment, scale, root)
    done = carry_out(
        [cell.step for cell in cells], results, Environment(root, threads=1), name=f"{experiment.name}-{scale}",
        engine_name=engine_name, workers=workers, address=address, gpu=gpu, say=say, progress=progress, tell=False,
    )  # fmt: skip
    result = gathered(experiment, scale, cells, results, done)
    file = _result_file(experiment, scale)
    path = results.folder / file
    with room_in(path):
        write_text(path, json.dumps(result, allow_nan=False) + "\n")
    results.publish(file)
    seconds = time.perf_counter() - start
    return Outcome(path, result, seconds, done.count("done"), done.count("kept"), done.count("failed"))


def cells_of(experiment: Experiment, scale: str, root: str | None) -> list[Cell]:
    """Return the steps that give the table's figures; what they read hangs on them.

    Raises `InputError` before any work: for a name or an option that is not known, a data set that is not at hand, and
    counts or requests that do not fit it. Whether a network takes samples of that shape is found when it is built.
    """
    chosen, kind = experiment.at(scale), kind_of(experiment)
    known = kind.figures(experiment)
    if experiment.figure not in known:
        raise InputError(f"{experiment.name}: {unknown('figure', experiment.figure, known)}")
    read_anew()
    return kind.cells(experiment, chosen, root)


def _result_file(experiment: Experiment, scale: str) -> str:
    return f"results/{experiment.name}-{scale}.json"


def result_path(store: str | Path, experiment: Experiment, scale: str) -> Path:
    """Return where an experiment's result file is on this machine; fetched first from a store behind a URL."""
    return Store.at(store).fetch(_result_file(experiment, scale))


def gathered(
    experiment: Experiment, scale: str, cells: list[Cell], store: Store, done: Done | None = None
) -> dict[str, Any]:
    """Return the result file's content from kept results: {"cells": [...], "missing": [...], ...}."""
    kind = kind_of(experiment)
    table: dict[tuple[str, str, int], dict[str, Any]] = {}
    missing: list[dict[str, Any]] = []
    for cell in cells:
        if store.done(cell.step):
            figures, gaps = read_figures(store.path(cell.step))
        else:
            why = ("" if done is None else done.why(cell.step)) or "not run yet"
            figures, gaps = [], [Gap(row, why) for row in cell.step.rows or kind.titles(experiment)]
        for own in figures:
            place = table.setdefault((_column(cell, own), own.row, own.group), {})
            for figure, values in own.figures.items():
                place.setdefault(figure, []).append([round(value, DIGITS) for value in values])
        missing += [
            {"number": cell.number, "row": gap.row, "why": gap.why, "column": _column(cell, gap)}
            | ({} if gap.group is None else {"group": gap.group})
            for gap in gaps
        ]
    return {
        "kind": "vestige bench", "format": FORMAT, "vestige": vestige.__version__, "name": experiment.name,
        "scale": scale, "content": experiment.content(scale),
        "experiment": experiment.model_dump(mode="json", exclude={"small", "paper"} - {scale}),
        "cells": [
            {"column": column, "row": row, "group": group, "figures": figures}
            for (column, row, group), figures in table.items()
        ],
        "missing": missing,
    }  # fmt: skip


def _column(cell: Cell, part: Figures | Gap) -> str:
    """Return the column of a part of a cell's result: a run on texts gives one for each model."""
    return f"{cell.column} · {part.column}" if part.column else cell.column


def read_result(path: Path, again: str | None = None) -> dict[str, Any]:
    """Read a result file.

    Its figures are of one version of vestige, which the file names; `sentences` says so where it is not this one.
    Raises `InputError` where it is another kind of file, or of another format.

    Parameters
    ----------
    again : str or None
        The command that makes it anew, for messages.
    """
    found = read_json(path)
    if not isinstance(found, dict) or found.get("kind") != "vestige bench":
        raise InputError(f"{path}: not a result file of vestige bench.")
    if found.get("format") != FORMAT:
        raise InputError(
            f"{path} is of format {found.get('format')} (vestige {found.get('vestige')}), {FORMAT} is wanted; run it "
            f"again: {again or _again(found)}"
        )
    whole = validated(_Result, found, f"{path}: this result file was changed by hand, or cut off")
    validated(Experiment, whole.experiment, f"{path}: this result file was changed by hand")
    return found


def _again(found: dict[str, Any]) -> str:
    """Return the command that makes a result anew; of an experiment of one's own, the file is not known."""
    name, scale = found.get("name"), found.get("scale")
    if name in experiments():
        return f"vestige bench run {name} --scale {scale}"
    return f"vestige bench run FILE.yaml --scale {scale}, with the file of {name!r}"
