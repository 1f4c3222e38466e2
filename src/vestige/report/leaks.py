"""The report of a two-version attack: can it be told who was deleted, by what, and what helps against it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.files import as_path
from vestige.report import svg
from vestige.report.html import configuration, page, shown_figure
from vestige.report.words import DASH, number

if TYPE_CHECKING:
    from vestige.leaks import Attack, Findings, Leakage
    from vestige.report.plots import Drawing

LEAK, EXPOSED, SILENT = (
    ("under", "It can be told", "▼"),
    ("under", "Exposed before the deletion", "▼"),
    ("undecided", "Not shown", "?"),
)
GLOSSARY = (
    ("AUC", "Probability that a record of the status that is looked for scores above another; 0.5 = chance."),
    (
        "One version, two versions",
        "Whether the adversary sees the model before the deletion only, or before and after.",
    ),
    (
        "Gain",
        "AUC of the attack on two versions minus that of the strongest one on one version: what the deletion itself "
        "gives away, rather too small than too large.",
    ),
    (
        "TPR at 1 % FPR",
        "Share of the records found while one in a hundred others is wrongly accused; chance: 1 %.",
    ),
    ("95 %", "Interval over resampled sets: records asked of one model are not independent of each other."),
    ("Threshold", "A score that needs no attack model and no training; larger = more likely."),
)


def write_leaks_report(
    path: Path | str, found: Findings, *, title: str | None = None, manifest: Mapping[str, Any] | None = None
) -> Path:
    """Write a self-contained report of an experiment to `path` and return it; the same input gives the same bytes."""
    from vestige.store import write_text

    path = as_path(path)
    write_text(path, _render(found, title, manifest or {}))
    return path


def headline(found: Findings) -> str:
    """Return what must be said first, as one or two sentences with their figures."""
    best, baseline = found.undefended.best, found.undefended.baseline
    area = _area(best)
    gain = _fixed(found.undefended.gain, found.undefended.gain_low, found.undefended.gain_high)
    kind = _kind(found)
    if kind == LEAK:
        return (
            f"Who was {found.positive} can be told from two versions of the model: AUC {area}, and "
            f"{_percent(best.target.tpr_1)} of the {found.positive} records are named at 1 % false accusations. "
            f"The best attack on one version has AUC {_fixed(baseline.target.auc)}; the second version gives away "
            f"{gain} more."
        )
    if kind == EXPOSED:
        stronger = max(best.target.auc, baseline.target.auc)
        return (
            f"The {found.positive} records were exposed before anything was deleted: AUC {_fixed(stronger)}. That "
            f"the second version adds to it is not shown: {gain} over the best attack on one version."
        )
    return (
        f"It was not shown that two versions of the model tell who was {found.positive}: AUC {area}. "
        f"With {found.rows:,} records of {found.sets:,} models a leak up to AUC {_fixed(best.target.high)} "
        "would have gone unnoticed."
    )


def _kind(found: Findings) -> tuple[str, str, str]:
    attacked = found.undefended
    if attacked.gain_low > 0 and attacked.best.target.low > 0.5:
        return LEAK
    return EXPOSED if max(attacked.best.target.low, attacked.baseline.target.low) > 0.5 else SILENT


def _render(found: Findings, title: str | None, manifest: Mapping[str, Any]) -> str:
    tone, word, sign = _kind(found)
    attacks = found.undefended.attacks
    return page(
        "leaks.html.jinja",
        title=title or "What the deletion gives away",
        script="",
        facts=[
            f"{found.rows:,} records asked of {found.sets:,} models",
            *([] if found.overfitting is None else [f"overfitting {number(found.overfitting, 2)}"]),
        ],
        tone=tone,
        word=word,
        sign=sign,
        sentence=headline(found),
        reasons=_reasons(found),
        positive=found.positive,
        by_feature=shown_figure(by_feature(attacks)),
        attacks=[_row(a) for a in attacks],
        roc=[shown_figure(d) for d in roc(found.undefended, found.positive)],
        degraded=[_degraded(a) for a in attacks if a.degradation is not None],
        defended=shown_figure(by_defence(found)),
        defences=[row for name, both in _defences(found) for row in _defence_rows(name, both)],
        three_way=[(k, _fixed(v)) for k, v in (found.three_way or {}).items()],
        limits=_limits(found),
        glossary=GLOSSARY,
        **configuration(manifest),
    )


def _reasons(found: Findings) -> list[str]:
    best, baseline = found.undefended.best, found.undefended.baseline
    said = [
        f"Chosen on shadow models: {_named(best)}. Strongest on one version, in hindsight: {_named(baseline)}.",
    ]
    if found.defences:
        least = min(found.defences, key=lambda name: found.defences[name].adaptive.best.target.auc)
        left = found.defences[least].adaptive.best.target
        said.append(
            f"Of the defences tried, {least} leaves least to an attacker who knows it: AUC "
            f"{_fixed(left.auc, left.low, left.high)}."
        )
    return said


def _limits(found: Findings) -> list[str]:
    said = [
        "The attacks are those tried here. A stronger one may exist; what was not shown is not shown to be impossible.",
        "The figures hold for data, model and deletion of the kind that was measured, and for an adversary whose "
        "shadow models are like the target.",
    ]
    negatives = int((~found.undefended.truth).sum())
    if negatives < 1000:
        said.append(
            f"TPR at 1 % FPR rests on {max(1, round(negatives / 100))} of {negatives:,} other records; read it to one "
            "digit. At 0.1 % there is less than one."
        )
    if found.sets < 5:
        said.append(f"Only {found.sets} models were asked; intervals over so few are too narrow.")
    return said


def attack_rows(found: Findings) -> list[dict[str, str]]:
    """Return what a terminal shows of the attacks: the best attack model for each thing that is read."""
    return [
        {
            "reads": a.feature, "attack model": a.model, "versions": str(a.versions), "AUC [95 %]": _area(a),
            "TPR 1 %": _percent(a.target.tpr_1),
        }
        for a in _best_by_feature(found.undefended.attacks)
    ]  # fmt: skip


def defence_rows(found: Findings) -> list[dict[str, str]]:
    """Return what a terminal shows of the defences: the chosen attack of an attacker that knows them."""
    return [
        {
            "defence": name, "reads": leak.best.feature, "AUC [95 %]": _area(leak.best),
            "one version": _fixed(leak.baseline.target.auc),
            "gain [95 %]": _fixed(leak.gain, leak.gain_low, leak.gain_high),
        }
        for name, leak in ((name, both["adaptive"]) for name, both in _defences(found))
    ]  # fmt: skip


def _best_by_feature(attacks: Sequence[Attack]) -> list[Attack]:
    best: dict[str, Attack] = {}
    for one in attacks:  # best on shadow rows first
        best.setdefault(one.feature, one)
    return list(best.values())


def by_feature(attacks: Sequence[Attack]) -> Drawing:
    """Draw the AUC of the best attack model for each thing that is read, chosen on shadow rows."""
    from vestige.report.plots import Drawing, canvas, spoken, title_and_legend

    rows = sorted(_best_by_feature(attacks), key=lambda a: a.target.auc)
    kinds = [(2, svg.FORGET, "o", "two versions"), (1, svg.RETAIN, "s", "one version")]
    with canvas(height=0.9 + 0.27 * len(rows), left=0.36) as (figure, axes):
        for versions, colour, marker, label in kinds:
            _intervals(
                axes, [(i, a) for i, a in enumerate(rows) if a.versions == versions], colour, marker, label
            )
        _auc_axis(axes, [a.feature for a in rows])
        title_and_legend(axes, "AUC of attacks", left=-0.56)
        label = f"AUC of attacks with 95 % intervals. {spoken(tuple((a.feature, _area(a)) for a in reversed(rows)))}"
        drawing = svg.inline_svg(figure, key="by-feature", label=label)
    facts = tuple((_named(a), _area(a)) for a in reversed(rows[-4:]))
    return Drawing(drawing, "Bars: 95 % intervals over resampled sets. Dashed: chance.", facts)


def by_defence(found: Findings) -> Drawing:
    """Draw the AUC that each defence leaves, to an adaptive attacker, to an unaware one, and to one version."""
    from vestige.report.plots import Drawing, canvas, spoken, title_and_legend

    if not found.defences:
        return Drawing(None, "No defence was tried.")
    rows = list(reversed(_defences(found)))
    with canvas(height=1.0 + 0.4 * len(rows), left=0.36) as (figure, axes):
        kinds = [
            (0.16, "adaptive", svg.FORGET, "o", "adaptive", "best"),
            (0.0, "unaware", svg.HOLDOUT, "D", "unaware", "best"),
            (-0.16, "adaptive", svg.RETAIN, "s", "one version", "baseline"),
        ]
        for shift, attacker, colour, marker, label, which in kinds:
            found_rows = [
                (i + shift, getattr(both[attacker], which))
                for i, (_, both) in enumerate(rows)
                if attacker in both
            ]
            _intervals(axes, found_rows, colour, marker, label)
        _auc_axis(axes, [name for name, _ in rows])
        title_and_legend(axes, "AUC under each defence", left=-0.56)
        said = tuple((name, _area(both["adaptive"].best)) for name, both in reversed(rows))
        drawing = svg.inline_svg(figure, key="by-defence", label=f"AUC under each defence. {spoken(said)}")
    return Drawing(
        drawing, "Attacks chosen on shadow models under the same defence; unaware: under none.", said
    )


def roc(found: Leakage, positive: str) -> tuple[Drawing, Drawing]:
    """Draw the ROC of the chosen attack and of the best one on one version, linear and log-log."""
    import numpy as np

    from vestige.report.plots import Drawing, canvas, percent, roc_points, spoken, thinned, title_and_legend

    curves = []
    for one, scores, colour, dashes in (
        (found.best, found.scores, svg.FORGET, "-"),
        (found.baseline, found.baseline_scores, svg.RETAIN, (0, (5, 1.5))),
    ):
        false, true = roc_points(scores[found.truth], scores[~found.truth])
        curves.append((one, false, true, colour, dashes))
    negatives, positives = int((~found.truth).sum()), int(found.truth.sum())
    floor = 0.5 / negatives, 0.5 / positives
    facts = tuple(
        (f"{a.feature}, TPR at 1 % FPR", f"{number(100 * a.target.tpr_1, 3)} %") for a, *_ in curves
    )
    label = f"{found.best.feature} and {found.baseline.feature}. {spoken(facts)}"
    drawings = []
    for logarithmic in (False, True):
        with canvas() as (figure, axes):
            lowest = max(floor) if logarithmic else 0.0
            chance: Any = {"color": svg.MUTED, "linewidth": 1, "linestyle": (0, (4, 3))}
            axes.plot([lowest, 1], [lowest, 1], **chance)
            for one, false, true, colour, dashes in curves:
                x, y = false, true
                if logarithmic:
                    x, y = np.maximum(false, floor[0]), np.maximum(true, floor[1])
                else:
                    x, y = thinned(x, y)
                axes.plot(x, y, color=colour, linestyle=dashes, label=one.feature, clip_on=False)
            axes.set(xlabel="Others wrongly accused (FPR)", ylabel=f"{positive.capitalize()} found (TPR)")
            if logarithmic:
                axes.set(xscale="log", yscale="log", xlim=(floor[0], 1), ylim=(floor[1], 1.15))
            else:
                axes.set(xlim=(-0.01, 1), ylim=(0, 1.02))
            percent(axes.xaxis, axes.yaxis)
            kind = "ROC, both axes logarithmic" if logarithmic else "ROC"
            title_and_legend(axes, kind)
            key = f"leak-{'log' if logarithmic else 'lin'}"
            drawings.append(svg.inline_svg(figure, key=key, label=f"{kind} of {label}"))
    note = f"{positives:,} {positive} records (up) against {negatives:,} others (right)."
    return Drawing(drawings[0], note), Drawing(drawings[1], "The left end: few false accusations.", facts)


def _intervals(axes: Any, rows: Sequence[tuple[float, Attack]], colour: str, marker: str, label: str) -> None:
    if not rows:
        return
    places = [place for place, _ in rows]
    values, low, high = ([getattr(a.target, name) for _, a in rows] for name in ("auc", "low", "high"))
    axes.hlines(places, low, high, color=colour, linewidth=2.2, alpha=0.45)
    axes.plot(values, places, linestyle="none", marker=marker, markersize=5, color=colour, label=label)


def _auc_axis(axes: Any, names: Sequence[str]) -> None:
    axes.axvline(0.5, color=svg.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(
        yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.4), xlabel="AUC on the target"
    )
    low, high = axes.get_xlim()
    axes.set_xlim(min(0.4, low), max(1.0, min(high, 1.0)))


def _defences(found: Findings) -> list[tuple[str, dict[str, Leakage]]]:
    """Return the undefended attack and that under each defence, by kind of attacker."""
    rows: list[tuple[str, dict[str, Leakage]]] = [("none", {"adaptive": found.undefended})]
    for name, both in found.defences.items():
        rows.append((name, {"adaptive": both.adaptive, "unaware": both.unaware}))
    return rows


def _defence_rows(name: str, both: Mapping[str, Leakage]) -> list[dict[str, str]]:
    return [
        {
            "defence": name, "attacker": DASH if name == "none" else attacker, "best": _named(leak.best),
            "auc": _area(leak.best), "tpr": _percent(leak.best.target.tpr_1),
            "baseline": _fixed(leak.baseline.target.auc),
            "gain": _fixed(leak.gain, leak.gain_low, leak.gain_high),
        }
        for attacker, leak in both.items()
    ]  # fmt: skip


def _row(one: Attack) -> dict[str, str]:
    figures = one.target
    return {
        "feature": one.feature, "model": one.model, "versions": str(one.versions), "shadow": _fixed(one.shadow),
        "auc": _area(one), "accuracy": _fixed(figures.accuracy), "tpr_1": _percent(figures.tpr_1),
        "tpr_01": _percent(figures.tpr_01),
    }  # fmt: skip


def _degraded(one: Attack) -> dict[str, str]:
    found = one.degradation
    assert found is not None
    return {
        "feature": one.feature, "model": one.model, "count": _fixed(found.count), "ties": _fixed(found.ties),
        "rate": f"{found.rate:+.3f}", "auc": _fixed(one.target.auc),
    }  # fmt: skip


def _named(one: Attack) -> str:
    return f"{one.feature} ({one.model})"


def _area(one: Attack) -> str:
    return _fixed(one.target.auc, one.target.low, one.target.high)


def _fixed(*values: float | None) -> str:
    """Return a value with three decimals, and its interval where there is one."""
    shown = [DASH if value is None else f"{value:.3f}" for value in values]
    return shown[0] if len(shown) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _percent(share: float) -> str:
    return f"{number(100 * share, 2)} %"
