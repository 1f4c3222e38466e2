"""The pictures of the pages of methods and measures: each of them among all others, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vestige_docs import results

TONES = {
    "light": {"text": "#32363a", "others": "#9aa3ad", "own": "#0b5cad", "line": "#d5d9de"},
    "dark": {"text": "#d3d7db", "others": "#68717b", "own": "#6cb4ff", "line": "#3c4249"},
}
STYLE = {"svg.hashsalt": "vestige", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}


def strip(
    axes: Axes, tone: str, rows: list[tuple[str, list[float], tuple[float, float, float] | None]], label: str
) -> None:
    """Draw a row of dots for each comparison, and this entry's dot with its interval.

    Parameters
    ----------
    rows : list[tuple[str, list[float], tuple[float, float, float] or None]]
        The row's name, what all entries have, and what this one has, with its interval; None where it has
        nothing.
    """
    colours = TONES[tone]
    for y, (_, others, own) in enumerate(rows):
        axes.plot(
            others,
            [y] * len(others),
            "o",
            color=colours["others"],
            markersize=4,
            alpha=0.7,
            markeredgewidth=0,
        )
        if own is not None:
            axes.plot(
                own[1:], [y, y], "-", color=colours["own"], linewidth=3, alpha=0.55, solid_capstyle="round"
            )
            axes.plot(own[:1], [y], "D", color=colours["own"], markersize=7)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.tick_params(colors=colours["text"], length=0)
    axes.xaxis.label.set_color(colours["text"])
    axes.grid(axis="x", color=colours["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def write(
    path: Path, name: str, height: float, rows: list, label: str, limits: tuple[float, float] | None = None
) -> None:
    """Write a picture for light and one for dark pages; what has not changed is left alone."""
    for tone in TONES:
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(7.0, height), layout="constrained")
            axes = figure.subplots()
            strip(axes, tone, rows, label)
            if limits is not None:
                axes.set_xlim(*limits)
            figure.savefig(path / f"{name}-{tone}.svg", transparent=True, metadata={"Date": None})


def of_methods(folder: Path, names: Iterable[str]) -> None:
    """Draw each method's distance from retraining on CIFAR-10, among all others."""
    tables = {"a class": results.class_disparities(), "a random tenth": results.random_disparities()}
    for name in names:
        own = [table.get(name) for table in tables.values()]
        if any(value is not None for value in own):
            rows = [
                (what, list(table.values()), None if value is None else (value, value, value))
                for (what, table), value in zip(tables.items(), own, strict=True)
            ]
            write(folder, name, 1.5, rows, "points from retraining (0 = as retrained)", (-1.5, 51))


def of_measures(folder: Path, names: Iterable[str]) -> None:
    """Draw each measure's separation of forgotten from retained records, among all others."""
    study = results.study()
    for name in names:
        if name in study:
            rows = [
                (
                    f"{results.DATA[data]}, {what}",
                    [values[data, request][0] for values in study.values() if (data, request) in values],
                    study[name].get((data, request)),
                )
                for data in results.STUDIED
                for request, what in results.REQUESTS.items()
            ]
            write(folder, name, 3.4, rows, "AUC (0.5 = chance, 1 = without error)", (0.0, 1.03))
