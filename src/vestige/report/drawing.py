"""Figures in the page's style, drawn with matplotlib's objects and never with pyplot; they become inline SVG.

Every figure comes with a text alternative that holds its numbers, and a note for the reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.report import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
SIZE = (4.6, 3.4)  # inch


@contextmanager
def canvas(height: float = SIZE[1], left: float = 0.155) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure in the page's style, and its axes; `height` in inch, `left` the share left of the axes."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = svg.STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(SIZE[0], height))
        below, above = 0.155 * SIZE[1] / height, 0.18 * SIZE[1] / height
        yield figure, figure.add_axes((left, below, 0.955 - left, 1 - below - above))


def title_and_legend(axes: Axes, title: str, left: float = -0.14) -> None:
    """Set both above the axes, flush with the figure; `left` in units of the axes' width."""
    axes.set_title(title, x=left, y=1.0)  # with a y of its own, matplotlib does not draw the axes to find one
    axes.yaxis.set_label_coords(left - 0.005, 0.5)
    axes.legend(loc="lower left", bbox_to_anchor=(left - 0.01, 1.0), ncols=4)


def percent_axes(*axes: Any) -> None:
    """Write the ticks of axes as percentages, and have no smaller ones."""
    from matplotlib.ticker import NullLocator

    for axis in axes:
        axis.set_major_formatter(lambda value, position: f"{100 * value:.4g} %")
        axis.set_minor_locator(NullLocator())


def thinned(x: Floats, y: Floats, step: float = 1 / 300) -> tuple[Floats, Floats]:
    """Drop points closer than a third of a pixel to the one before; axes of length one; the ends stay."""
    cell = np.round(np.column_stack([x, y]) / step)
    keep = np.ones(len(x), dtype=bool)
    keep[1:-1] = (cell[1:-1] != cell[:-2]).any(axis=1)
    return x[keep], y[keep]


def spoken(facts: tuple[tuple[str, str], ...]) -> str:
    """Return facts as one sentence for a text alternative."""
    return "; ".join(f"{term}: {text}" for term, text in facts) + "."
