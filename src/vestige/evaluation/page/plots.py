"""Figures of an audit: score distributions, ROC linear and log-log, before against after unlearning.

One that cannot be drawn comes with its reason instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.evaluation.roc import auc as area_under
from vestige.evaluation.roc import roc as empirical
from vestige.report import svg
from vestige.report.blocks import Drawing
from vestige.report.drawing import canvas, percent_axes, roc_pair, spoken, title_and_legend
from vestige.report.words import DIRECTION, is_missing, listed, number, plural, with_interval
from vestige.signals.transforms import scaled_logit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vestige.evaluation.result import Metric
    from vestige.signals import Signals

Floats = NDArray[np.float64]
COLOUR = {"forget": svg.FORGET, "retain": svg.RETAIN, "holdout": svg.HOLDOUT}
DASHES: dict[str, Any] = {"forget": "-", "retain": (0, (5, 1.5)), "holdout": (0, (1.5, 1.2))}
BINS = 36
SCATTER_POINTS = 1_500


def distributions(scores: Mapping[str, Floats], measure: str, unit: str, key: str) -> Drawing:
    """Draw the share of samples per score, one outline per role ({role: scores [n]})."""
    scores = {role: scores[role] for role in COLOUR if role in scores and len(scores[role])}
    if not scores:
        return Drawing(None, f"{measure} has no scores.")
    low, high = _window(scores)
    edges = np.linspace(low, high, BINS + 1)
    with canvas() as (figure, axes):
        for role, values in scores.items():
            weights = np.full(len(values), 1 / len(values))
            shown = np.clip(values, low, high)
            drawn: dict[str, Any] = {"bins": edges.tolist(), "weights": weights, "color": COLOUR[role]}
            axes.hist(shown, histtype="stepfilled", alpha=0.22, **drawn)
            axes.hist(
                shown,
                histtype="step",
                linewidth=1.6,
                linestyle=DASHES[role],
                label=_named(role, values),
                **drawn,
            )
        xlabel = f"Score [{unit}], right = more unlearned" if unit else "Score, right = more unlearned"
        axes.set(xlabel=xlabel, ylabel="Share of the role's samples")
        axes.locator_params(nbins=6, steps=[1, 2, 5, 10])
        percent_axes(axes.yaxis)
        axes.set_xlim(low, high)
        title_and_legend(axes, f"{measure}: scores by role")
        facts = tuple(
            (f"{role.capitalize()} ({len(values):,})", _spread(values)) for role, values in scores.items()
        )
        label = f"Histogram of the {measure} scores, {DIRECTION}. {spoken(facts)}"
        drawing = svg.inline_svg(figure, key=key, label=label)
    outside = sum(int(((values < low) | (values > high)).sum()) for values in scores.values())
    absent = [role for role in COLOUR if role not in scores]
    notes = ["Median, and where the middle 90 % lie."]
    if outside:
        notes.append(f"{plural(outside, 'sample')} beyond the axis are counted in the outermost bins.")
    if absent:
        notes.append(f"No {' or '.join(absent)} samples in this audit.")
    return Drawing(drawing, " ".join(notes), facts)


def roc_points(forget: Floats, retain: Floats) -> tuple[Floats, Floats]:
    """Return (share of retain samples, share of forget samples) called unlearned, corners only, rising from 0 to 1.

    A sample is called unlearned where its score is at least a threshold. In the terms of `vestige.evaluation.roc`
    the two are the false negative rate and the true negative rate.
    """
    curve = empirical(forget, retain)
    false, true = 1 - curve.tpr[::-1], 1 - curve.fpr[::-1]
    steps = np.diff(false), np.diff(true)
    turn = np.ones(len(false), dtype=bool)
    turn[1:-1] = ~np.isclose(steps[0][:-1] * steps[1][1:], steps[0][1:] * steps[1][:-1], rtol=1e-9, atol=0)
    return false[turn], true[turn]


def roc(scores: Mapping[str, Floats], measure: str, auc: Metric | None, key: str) -> tuple[Drawing, Drawing]:
    """Draw the ROC of forget against retain, linear and log-log; `auc` is the figure with its interval, if any."""
    missing = [role for role in ("forget", "retain") if not len(scores.get(role, ()))]
    if missing:
        reason = f"No ROC for {measure}: it has no scores of {listed(missing)} samples to compare."
        return Drawing(None, reason), Drawing(None, reason)
    forget, retain = scores["forget"], scores["retain"]
    false, true = roc_points(forget, retain)
    area = f"AUC {number(area_under(forget, retain), 3)}" if auc is None else _auc_words(auc)
    caught = [(limit, float(true[false <= limit + 1e-12].max())) for limit in (0.001, 0.01, 0.1)]
    facts = (
        ("AUC (chance: 0.5)", area.removeprefix("AUC ")),
        *((f"TNR at FNR {100 * f:g} %", f"{number(100 * t, 3)} %") for f, t in caught),
    )
    label = f"{measure}, forget against retain. {spoken(facts)}"
    note = f"{len(forget):,} forget samples (up) against {len(retain):,} retain samples (right)."
    linear, loglog = roc_pair(
        [(false, true, {"color": svg.FORGET, "label": area})],
        floor=(max(1e-5, 0.5 / len(retain)), max(1e-5, 0.5 / len(forget))),
        title=f"{measure}: ROC",
        axes_names=("Retain called unlearned", "Forget called unlearned"),
        key=key,
        label=label,
    )
    low_end = "TNR: share of forget samples called unlearned. FNR: share of retain samples called unlearned."
    return Drawing(linear, note, facts[:1]), Drawing(loglog, low_end, facts[1:])


def before_after(signals: Signals, key: str) -> Drawing:
    """Draw the log-odds of the true label under the original (x) and the unlearned model (y), by role."""
    if signals.original is None:
        return Drawing(
            None, "Not drawn: the outputs of the model before unlearning (`original`) were not given."
        )
    rows = {
        role: _sample(np.flatnonzero(signals.roles == role), signals.roles == "forget") for role in COLOUR
    }
    rows = {role: found for role, found in rows.items() if len(found)}
    points = {
        role: (
            scaled_logit(signals.original[chosen], signals.labels[chosen]),
            scaled_logit(signals.unlearned[chosen], signals.labels[chosen]),
        )
        for role, chosen in rows.items()
    }
    low, high = _window({f"{role}{i}": axis for role, pair in points.items() for i, axis in enumerate(pair)})
    with canvas() as (figure, axes):
        axes.set(xlim=(low, high), ylim=(low, high))
        axes.locator_params(nbins=6, steps=[1, 2, 5, 10])
        axes.plot(
            [low, high], [low, high], color=svg.MUTED, linewidth=1, linestyle=(0, (4, 3)), label="unchanged"
        )
        for role in ("retain", "holdout", "forget"):
            if role in points:
                before, after = (np.clip(axis, low, high) for axis in points[role])
                _dots(axes, before, after, role)
        axes.set(
            xlabel="Before: log-odds of the true label (nats)",
            ylabel="After (low = less fitted)",
        )
        title_and_legend(axes, "True label, before and after unlearning")
        facts = tuple(
            (role.capitalize(), f"median {number(np.median(b), 3)} before, {number(np.median(a), 3)} after")
            for role, (b, a) in points.items()
        )
        label = f"Scatter of the log-odds of the true label before against after unlearning. {spoken(facts)}"
        drawing = svg.inline_svg(figure, key=key, label=label)
    shown, total = sum(map(len, rows.values())), len(signals)
    note = "On the dashed line nothing changed; below it the model is less sure of the true label."
    if shown < total:
        note += f" Shown: a fixed choice of {shown:,} of {total:,} samples, spread over the roles."
    return Drawing(drawing, note, facts)


def _dots(axes: Axes, x: Floats, y: Floats, role: str) -> None:
    """Draw one path for all points of a role: dots for forget, crosses for retain, dashes for holdout.

    A line of no length with a round cap is a dot; one path is far smaller than one element per point.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import IdentityTransform

    shapes: dict[str, list[tuple[float, float]]] = {
        "forget": [(0, 0), (0.01, 0)],
        "retain": [(-1.6, -1.6), (1.6, 1.6), (-1.6, 1.6), (1.6, -1.6)],
        "holdout": [(-2.2, 0), (2.2, 0)],
    }
    centres = axes.transData.transform(np.column_stack([x, y]))
    ends = np.array(shapes[role], dtype=np.float64)
    vertices = (centres[:, None, :] + ends[None]).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(vertices) // 2)
    look: dict[str, Any] = {"edgecolor": COLOUR[role], "facecolor": "none", "alpha": 0.75}
    look |= {"linewidth": 3.6 if role == "forget" else 0.9, "capstyle": "round"}
    path = Path(vertices.tolist(), codes)
    path.should_simplify = False
    axes.add_artist(PathPatch(path, transform=IdentityTransform(), clip_on=False, **look))
    axes.plot([], [], color=COLOUR[role], marker={"forget": "o", "retain": "x", "holdout": "_"}[role],
              markersize=4, linestyle="none", label=role)  # fmt: skip


def _sample(rows: NDArray[np.intp], forget: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return at most a third of the points' number, the same ones every time."""
    share = SCATTER_POINTS // 3 if not forget.all() else SCATTER_POINTS
    if len(rows) <= share:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, share, replace=False))


def _window(scores: Mapping[str, Floats]) -> tuple[float, float]:
    """Return an axis that holds the middle 99 % of every group, and all of it where that is not far wider."""
    low = min(float(np.quantile(values, 0.005)) for values in scores.values())
    high = max(float(np.quantile(values, 0.995)) for values in scores.values())
    least = min(float(values.min()) for values in scores.values())
    most = max(float(values.max()) for values in scores.values())
    if most - least <= 1.5 * (high - low):
        low, high = least, most
    if high - low < 1e-9 * max(1.0, abs(low)):
        return low - 0.5, high + 0.5
    return low, high


def _auc_words(auc: Metric) -> str:
    if is_missing(auc.value):
        return f"AUC not computed ({auc.reason or 'no reason given'})"
    return f"AUC {with_interval(auc.value, auc.low, auc.high)}"


def _named(role: str, values: Floats) -> str:
    return f"{role} ({len(values):,})"


def _spread(values: Floats) -> str:
    low, middle, high = (number(value, 3) for value in np.quantile(values, [0.05, 0.5, 0.95]))
    return f"{middle} ({low} to {high})"
