"""Figures in the page's style, drawn with matplotlib's objects and never with pyplot; they become inline SVG.

Every figure comes with a text alternative that holds its numbers, and a note for the reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def roc_pair(
    curves: Sequence[tuple[Floats, Floats, Mapping[str, Any]]],
    *,
    floor: tuple[float, float],
    title: str,
    axes_names: tuple[str, str],
    key: str,
    label: str,
) -> tuple[str, str]:
    """Draw ROC curves on linear and on logarithmic axes, each with the line of chance; return both as SVG.

    Parameters
    ----------
    curves : Sequence[tuple[array of float, array of float, Mapping[str, Any]]]
        (x, y, look): shares that rise from 0 to 1, and matplotlib's settings of the line, such as its label.
    floor : tuple[float, float]
        Smallest share on the logarithmic axes.
    axes_names : tuple[str, str]
        Of x and y.
    key, label : str
        As of `svg.inline_svg`; what the curves are of.
    """
    drawings = []
    for logarithmic in (False, True):
        with canvas() as (figure, axes):
            lowest = max(floor) if logarithmic else 0.0
            axes.plot(
                [lowest, 1], [lowest, 1], color=svg.MUTED, linewidth=1, linestyle=(0, (4, 3)), label="chance"
            )
            for x, y, look in curves:
                shown = _thinned_logs(x, y, floor) if logarithmic else thinned(x, y)
                axes.plot(*shown, solid_joinstyle="round", clip_on=False, **look)
            axes.set(xlabel=axes_names[0], ylabel=axes_names[1])
            if logarithmic:
                axes.set(xscale="log", yscale="log", xlim=(floor[0], 1), ylim=(floor[1], 1.15))
            else:
                axes.set(xlim=(-0.01, 1), ylim=(0, 1.02))
            percent_axes(axes.xaxis, axes.yaxis)
            title_and_legend(axes, f"{title}, both axes logarithmic" if logarithmic else title)
            kind = "ROC on logarithmic axes" if logarithmic else "ROC"
            end = "log" if logarithmic else "lin"
            drawings.append(svg.inline_svg(figure, key=f"{key}-{end}", label=f"{kind} of {label}"))
    return drawings[0], drawings[1]


def _thinned_logs(x: Floats, y: Floats, floor: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return what of a curve is drawn on logarithmic axes that begin at `floor`."""
    logs = [np.log10(np.maximum(values, least)) for values, least in ((x, floor[0]), (y, floor[1]))]
    x, y = thinned(*(own / -np.log10(least) + 1 for own, least in zip(logs, floor, strict=True)))
    return floor[0] ** (1 - x), floor[1] ** (1 - y)
