"""A result file as a picture: a dot for every cell, its interval, the published value hollow beside it; or curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vestige.errors import InputError
from vestige.experiments.bench.table import Value, column_of, values_of
from vestige.store import published

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def render_plot(result: dict[str, Any], path: Path, figure: str | None = None) -> Path:
    """Write the table as SVG, PDF or PNG, after `path`'s ending. Columns that are numbers of shadows become an axis.

    An experiment of curves is drawn as ROC, the mean of all its runs, unless a figure is asked for.

    Raises `InputError` where nothing has been measured, and for another ending.
    """
    if path.suffix not in (".svg", ".pdf", ".png"):
        raise InputError(f"{path}: .svg, .pdf or .png is wanted.")
    cells = [c for c in values_of(result, figure) if c.mean is not None]
    if not cells:
        raise InputError(f"{result['name']}: no cell is filled; there is nothing to draw.")
    columns = list(dict.fromkeys(c.column for c in cells))
    if result["experiment"].get("curve") and figure is None:
        drawn = _rates(result, columns)
    else:
        drawn = _table(result, cells, columns, figure)
    with published(path) as temporary:
        drawn.savefig(temporary, format=path.suffix[1:], dpi=150)
    return path


def _table(result: dict[str, Any], cells: list[Value], columns: list[str], figure: str | None) -> Any:
    """Draw one figure of every cell, as dots or, over numbers of shadows, as lines."""
    from matplotlib.figure import Figure

    rows = list(dict.fromkeys(c.row for c in cells))
    curve = len({c["group"] for c in result["cells"]}) > 1
    size = (7.5, 4.6) if curve else (7.5, 1.3 + 0.34 * len(rows))
    drawn = Figure(figsize=size, layout="constrained")
    axes = drawn.subplots()
    (_curves if curve else _dots)(axes, cells, rows, columns)
    told = result["experiment"]
    axes.set_title(told["title"], loc="left", fontsize=11)
    unit = f"{figure or told['figure']}{', %' if told['percent'] else ''}"
    directed = told["smaller"] is not None and figure in (None, told["figure"])
    better = f" ({'smaller' if told['smaller'] else 'larger'} is better)" if directed else ""
    (axes.set_ylabel if curve else axes.set_xlabel)(unit + better)
    axes.spines[["top", "right"]].set_visible(False)
    drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return drawn


def _dots(axes: Any, cells: list[Value], rows: list[str], columns: list[str]) -> None:
    for number, column in enumerate(columns):
        own = [c for c in cells if c.column == column]
        at = [len(rows) - 1 - rows.index(c.row) + 0.16 * (len(columns) / 2 - number) for c in own]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(
            [c.mean for c in own], at, xerr=[c.half or 0.0 for c in own], fmt="o", markersize=4, linewidth=1,
            color=colour, label=column,
        )  # fmt: skip
        paper = [(c.published, y) for c, y in zip(own, at, strict=True) if c.published is not None]
        if paper:
            axes.plot(*zip(*paper, strict=True), "D", markersize=4, fillstyle="none", color=colour)
    axes.set_yticks(range(len(rows)), reversed(rows), fontsize=8)
    axes.grid(axis="x", linewidth=0.4)


def _curves(axes: Any, cells: list[Value], rows: list[str], columns: list[str]) -> None:
    for number, row in enumerate(rows):
        own = [c for c in cells if c.row == row]
        at = [int(c.column.rpartition(" · ")[2]) for c in own]
        colour = COLOURS[number % len(COLOURS)]
        dash = "-" if number < len(COLOURS) else "--"
        axes.errorbar(
            at, [c.mean for c in own], yerr=[c.half or 0.0 for c in own], marker="o", markersize=3, linewidth=1,
            linestyle=dash, color=colour, label=row,
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    ticks = sorted({int(c.rpartition(" · ")[2]) for c in columns})
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set_xlabel("shadow models")
    axes.grid(linewidth=0.4)


def _rates(result: dict[str, Any], columns: list[str]) -> Any:
    """Draw true against false positive rates, both on a logarithmic axis, a panel a column."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(4.2 * len(columns), 4.8), layout="constrained")
    panels = drawn.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column in zip(panels, columns, strict=True):
        for number, cell in enumerate(c for c in result["cells"] if column_of(c, result) == column):
            rates = {
                float(name.removeprefix("tpr_at_")): float(np.mean([np.mean(v) for v in values]))
                for name, values in cell["figures"].items()
                if name.startswith("tpr_at_0") or name.startswith("tpr_at_1")
            }
            area = float(np.mean([np.mean(v) for v in cell["figures"]["auc"]]))
            dash = "-" if number < len(COLOURS) else "--"
            axes.plot(
                list(rates), list(rates.values()), dash, color=COLOURS[number % len(COLOURS)], linewidth=1,
                label=f"{cell['row']} ({area:.3f})",
            )  # fmt: skip
        axes.plot([1e-3, 1], [1e-3, 1], ":", color="#888888", linewidth=1)
        axes.set(xscale="log", yscale="log", xlim=(1e-3, 1), ylim=(1e-3, 1.05), xlabel="false positive rate")
        axes.set_title(column, loc="left", fontsize=10)
        axes.legend(
            fontsize=7, loc="lower right", title="AUC in brackets", title_fontsize=7, edgecolor="none"
        )
        axes.grid(linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("true positive rate: retained samples recognised")
    drawn.suptitle(result["experiment"]["title"], fontsize=11, x=0.01, ha="left")
    return drawn
