"""A result file as a picture: a dot for every cell, its interval, the published value hollow beside it; or curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vestige.arguments import checked
from vestige.errors import InputError
from vestige.experiments.bench.table import Value, column_of, values_of
from vestige.store import published

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


@checked
def render_plot(result: dict[str, Any], path: Path, figure: str | None = None) -> Path:
    """Write the table as SVG, PDF or PNG, after `path`'s ending. Columns that are numbers of shadows become an axis.

    An experiment of curves is drawn as ROC, the mean of all its runs, unless a figure is asked for.

    Raises `InputError` where nothing has been measured, and for another ending.
    """
    if path.suffix not in (".svg", ".pdf", ".png"):
        raise InputError(f"{path}: .svg, .pdf or .png is wanted.")
    drawn = picture(result, figure)
    with published(path) as temporary:
        drawn.savefig(temporary, format=path.suffix[1:], dpi=150)
    return path


def picture(result: dict[str, Any], figure: str | None = None) -> Any:
    """Return what `render_plot` writes, as a figure of matplotlib."""
    cells = [c for c in values_of(result, figure) if c.mean is not None]
    if not cells:
        raise InputError(f"{result['name']}: no cell is filled; there is nothing to draw.")
    columns = list(dict.fromkeys(c.column for c in cells))
    if result["experiment"].get("curve") and figure is None:
        return _rates(result, columns)
    told = result["experiment"]
    unit = f"{figure or told['figure']}{', %' if told['percent'] else ''}"
    directed = told["smaller"] is not None and figure in (None, told["figure"])
    unit += f" ({'smaller' if told['smaller'] else 'larger'} is better)" if directed else ""
    curve = len({c["group"] for c in result["cells"]}) > 1
    return (_curves if curve else _dots)(cells, columns, told["title"], unit)


def _literal(text: str) -> str:
    """Return a text that matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")


def _dots(cells: list[Value], columns: list[str], title: str, unit: str) -> Any:
    """Draw a dot for every cell, a colour a column."""
    from matplotlib.figure import Figure

    rows = list(dict.fromkeys(c.row for c in cells))
    drawn = Figure(figsize=(7.5, 1.3 + 0.34 * len(rows)), layout="constrained")
    axes: Any = drawn.subplots()
    for number, column in enumerate(columns):
        own = [c for c in cells if c.column == column]
        at = [len(rows) - 1 - rows.index(c.row) + 0.16 * (len(columns) / 2 - number) for c in own]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(
            [c.mean for c in own], at, xerr=[c.half or 0.0 for c in own], fmt="o", markersize=4, linewidth=1,
            color=colour, label=_literal(column),
        )  # fmt: skip
        paper = [(c.published, y) for c, y in zip(own, at, strict=True) if c.published is not None]
        if paper:
            axes.plot(*zip(*paper, strict=True), "D", markersize=4, fillstyle="none", color=colour)
    axes.set_yticks(range(len(rows)), [_literal(row) for row in reversed(rows)], fontsize=8)
    axes.grid(axis="x", linewidth=0.4)
    axes.set_title(_literal(title), loc="left", fontsize=11)
    axes.set_xlabel(_literal(unit))
    axes.spines[["top", "right"]].set_visible(False)
    drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return drawn


def _curves(cells: list[Value], columns: list[str], title: str, unit: str) -> Any:
    """Draw lines over the number of shadow models: a panel a data set and request, a line a row."""
    from matplotlib.figure import Figure

    rows = list(dict.fromkeys(c.row for c in cells))
    asked = list(dict.fromkeys(_part(column) for column in columns))
    drawn = Figure(figsize=(max(7.5, 5.4 * len(asked)), 5.4), layout="constrained")
    panels = drawn.subplots(1, len(asked), squeeze=False)[0]
    for axes, name in zip(panels, asked, strict=True):
        inside = [c for c in cells if _part(c.column) == name]
        for number, row in enumerate(rows):
            beside = 2 ** (0.03 * (number - (len(rows) - 1) / 2))  # so that intervals do not hide each other
            _line(axes, [c for c in inside if c.row == row], number, beside)
        ticks = sorted({_shadows(c) for c in inside})
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [str(t) for t in ticks])
        hollow = "; hollow: published" if any(c.published is not None for c in inside) else ""
        axes.set_xlabel(f"shadow models{hollow}")
        axes.set_title(_literal(name), loc="left", fontsize=10)
        axes.grid(linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(_literal(unit))
    marks = {
        text: mark for axes in panels for mark, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    drawn.legend(marks.values(), marks, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    drawn.suptitle(_literal(title), fontsize=11, x=0.01, ha="left")
    return drawn


def _line(axes: Any, own: list[Value], number: int, beside: float) -> None:
    """Draw one row's means with their intervals, and its published values as hollow markers of the same shape."""
    if not own:
        return
    colour = COLOURS[number % len(COLOURS)]
    marker, dash = ("o", "-") if number < len(COLOURS) else ("s", "--")
    axes.errorbar(
        [beside * _shadows(c) for c in own], [c.mean for c in own], yerr=[c.half or 0.0 for c in own], marker=marker,
        markersize=3, linewidth=1, linestyle=dash, color=colour, label=_literal(own[0].row),
    )  # fmt: skip
    paper = [(beside * _shadows(c), c.published) for c in own if c.published is not None]
    if paper:
        axes.plot(*zip(*paper, strict=True), marker, markersize=5, fillstyle="none", color=colour)


def _part(column: str) -> str:
    """The data set and request of a column that ends in a number of shadow models."""
    return column.rpartition(" · ")[0]


def _shadows(cell: Value) -> int:
    return int(cell.column.rpartition(" · ")[2])


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
                label=_literal(f"{cell['row']} ({area:.3f})"),
            )  # fmt: skip
        axes.plot([1e-3, 1], [1e-3, 1], ":", color="#888888", linewidth=1)
        axes.set(xscale="log", yscale="log", xlim=(1e-3, 1), ylim=(1e-3, 1.05), xlabel="false positive rate")
        axes.set_title(_literal(column), loc="left", fontsize=10)
        axes.legend(
            fontsize=7, loc="lower right", title="AUC in brackets", title_fontsize=7, edgecolor="none"
        )
        axes.grid(linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("true positive rate: retained samples recognised")
    drawn.suptitle(_literal(result["experiment"]["title"]), fontsize=11, x=0.01, ha="left")
    return drawn
