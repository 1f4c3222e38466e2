"""The report of a two-version attack: can it be told who was deleted, by what, and what helps against it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.evaluation.page.plots import roc_points
from vestige.files import as_path
from vestige.report import svg
from vestige.report.blocks import Badge, Beside, Block, Card, Column, Drawing, Heading, Table, Text
from vestige.report.drawing import canvas, roc_pair, spoken, title_and_legend
from vestige.report.page import Page, Section, write
from vestige.report.words import DASH, fixed, number, unbroken
from vestige.store import write_json

if TYPE_CHECKING:
    from vestige.leaks import Attack, Findings, Leakage

LEAK = Badge("under", "It can be told", "▼")
EXPOSED = Badge("under", "Exposed before the deletion", "▼")
SILENT = Badge("undecided", "Not shown", "?")
GLOSSARY = ("AUC", "One version, two versions", "Gain", "TPR at 1 % FPR", "95 %", "Threshold")


def write_leaks_report(
    path: Path | str, found: Findings, *, title: str | None = None, manifest: Mapping[str, Any] | None = None
) -> Path:
    """Write a self-contained report of an experiment to `path` and return it; the same input gives the same bytes."""
    return write(path, page(found, title, manifest or {}))


def save(
    found: Findings, folder: Path | str, *, title: str | None = None, known: Mapping[str, Any] | None = None
) -> Path:
    """Write `leaks.json` and `report.html` into a folder and return it.

    Parameters
    ----------
    known : Mapping[str, Any] or None
        What was asked for: "config", or "pairs" with the hashes of the files.
    """
    import vestige

    folder = as_path(folder)
    manifest = {"kind": "leaks", "vestige": vestige.__version__, **(known or {})}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "leaks.json", {**manifest, **found.record()})
    write_leaks_report(folder / "report.html", found, title=title, manifest=manifest)
    return folder


def page(found: Findings, title: str | None, manifest: Mapping[str, Any]) -> Page:
    """Return the page that `write_leaks_report` writes."""
    facts = [f"{found.rows:,} records asked of {found.sets:,} models"]
    if found.overfitting is not None:
        facts.append(f"overfitting {number(found.overfitting, 2)}")
    return Page(
        title or "What the deletion gives away",
        [Card(_kind(found), unbroken(headline(found)), reasons=_reasons(found))],
        [_features(found), _roc(found), _degradation(found), _defended(found), _three_way(found)],
        GLOSSARY,
        limits=[("", _limits(found))],
        limited="experiment",
        facts=facts,
        manifest=manifest,
    )


def headline(found: Findings) -> str:
    """Return what must be said first, as one or two sentences with their figures."""
    best, baseline = found.undefended.best, found.undefended.baseline
    area = _area(best)
    gain = _gain(found.undefended)
    kind = _kind(found)
    if kind == LEAK:
        return (
            f"Who was {found.positive} can be told from two versions of the model: AUC {area}, and "
            f"{_percent(best.target.tpr_1)} of the {found.positive} records are named at 1 % false accusations. "
            f"The best attack on one version has AUC {fixed(baseline.target.auc)}; the second version gives away "
            f"{gain} more."
        )
    if kind == EXPOSED:
        stronger = max(best.target.auc, baseline.target.auc)
        return (
            f"The {found.positive} records were exposed before anything was deleted: AUC {fixed(stronger)}. That "
            f"the second version adds to it is not shown: {gain} over the best attack on one version."
        )
    return (
        f"It was not shown that two versions of the model tell who was {found.positive}: AUC {area}. "
        f"With {found.rows:,} records of {found.sets:,} models a leak up to AUC {fixed(best.target.high)} "
        "would have gone unnoticed."
    )


def _kind(found: Findings) -> Badge:
    attacked = found.undefended
    if attacked.gain_low > 0 and attacked.best.target.low > 0.5:
        return LEAK
    return EXPOSED if max(attacked.best.target.low, attacked.baseline.target.low) > 0.5 else SILENT


def _features(found: Findings) -> Section:
    columns = [
        Column("Reads"), Column("Attack model"), Column("Versions", "number"), Column("AUC on shadow", "number"),
        Column("AUC [95 %]", "number"), Column("Accuracy", "number"), Column("TPR at 1 % FPR", "number"),
        Column("at 0.1 %", "number"),
    ]  # fmt: skip
    attacks = found.undefended.attacks
    rows = [
        [
            a.feature, a.model, str(a.versions), fixed(a.shadow), _area(a), fixed(a.target.accuracy),
            _percent(a.target.tpr_1), _percent(a.target.tpr_01),
        ]
        for a in attacks
    ]  # fmt: skip
    intro = (
        "Each row is the attack model that did best on the shadow models for what is named; the verdict's attack on "
        "two versions is chosen in the same way, never on the target's records."
    )
    blocks = [
        Text(intro), replace(by_feature(attacks), style="beside"), Heading("All attacks"),
        Table("All attacks", columns, rows, tall=True),
    ]  # fmt: skip
    return Section("features", "Attacks, by what they read", "Attacks", blocks)


def _roc(found: Findings) -> Section:
    intro = (
        f"How many {found.positive} records are found (up), at which share of the others wrongly accused (right)? An "
        "adversary who can afford few false accusations lives at the left end, which the logarithmic axes show."
    )
    drawings = roc(found.undefended, found.positive)
    return Section("roc", "ROC of the chosen attacks", "ROC", [Text(intro), Beside(drawings)])


def _degradation(found: Findings) -> Section:
    title = "Confidence gained by the second version"
    columns = [
        Column("Reads"), Column("Attack model"), Column("DegCount", "number"), Column("Tied", "number"),
        Column("DegRate", "number"), Column("AUC", "number"),
    ]  # fmt: skip
    rows = [
        [a.feature, a.model, fixed(d.count), fixed(d.ties), f"{d.rate:+.3f}", fixed(a.target.auc)]
        for a in found.undefended.attacks
        if (d := a.degradation) is not None
    ]
    intro = (
        "Against the best attack on one version by the same attack model. DegCount is the share of records whose true "
        "status is named with more confidence, DegRate the mean gain. Both depend on calibration and can disagree with "
        "the AUC: never read them alone."
    )
    none: list[Block] = [Text("Only thresholds were used; they give no probabilities to compare.", "empty")]
    blocks = [Text(intro), Table(title, columns, rows)] if rows else none
    return Section("degradation", title, "Confidence gained", blocks)


def _defended(found: Findings) -> Section:
    columns = [
        Column("Defence"), Column("Attacker"), Column("Chosen attack", "words"), Column("AUC [95 %]", "number"),
        Column("TPR at 1 % FPR", "number"), Column("One version", "number"), Column("Gain [95 %]", "number"),
    ]  # fmt: skip
    rows = [
        [
            name, DASH if name == "none" else attacker, _named(leak.best), _area(leak.best),
            _percent(leak.best.target.tpr_1), fixed(leak.baseline.target.auc), _gain(leak),
        ]
        for name, both in _defences(found)
        for attacker, leak in both.items()
    ]  # fmt: skip
    intro = (
        "What is left where the model's owner publishes less, against an attacker who knows the defence and has it on "
        "the shadow models too (adaptive), and against one who does not."
    )
    blocks: list[Block] = [
        Text("No defence was tried. Name some with --defence, for example label_only.", "empty")
    ]
    if found.defences:
        table = Table("Defences", columns, rows)
        blocks = [Text(intro), replace(by_defence(found), style="beside"), table]
    return Section("defences", "Defences", "Defences", blocks)


def _three_way(found: Findings) -> Section:
    title = "Deleted, remaining, outside"
    none = "Not asked: records of all three statuses are needed on both sides, with the same classes."
    intro = (
        "One attack that tells all three statuses apart; AUC of each against the two others, 0.5 = chance."
    )
    rows = [[status.capitalize(), fixed(auc)] for status, auc in (found.three_way or {}).items()]
    table = Table(title, [Column(""), Column("")], rows, "pairs")
    return Section(
        "three-way", title, "Three statuses", [Text(intro), table] if rows else [Text(none, "empty")]
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
            f"{fixed(left.auc, left.low, left.high)}."
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
            "one version": fixed(leak.baseline.target.auc),
            "gain [95 %]": _gain(leak),
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
    attacks = (
        (found.best, found.scores, svg.FORGET, "-"),
        (found.baseline, found.baseline_scores, svg.RETAIN, (0, (5, 1.5))),
    )
    curves = [
        (
            *roc_points(scores[found.truth], scores[~found.truth]),
            {"color": colour, "linestyle": dashes, "label": one.feature},
        )
        for one, scores, colour, dashes in attacks
    ]
    negatives, positives = int((~found.truth).sum()), int(found.truth.sum())
    facts = tuple(
        (f"{one.feature}, TPR at 1 % FPR", f"{number(100 * one.target.tpr_1, 3)} %") for one, *_ in attacks
    )
    drawings = roc_pair(
        curves, floor=(0.5 / negatives, 0.5 / positives), title="ROC", key="leak",
        axes_names=("Others wrongly accused (FPR)", f"{positive.capitalize()} found (TPR)"),
        label=f"{found.best.feature} and {found.baseline.feature}. {spoken(facts)}",
    )  # fmt: skip
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


def _named(one: Attack) -> str:
    return f"{one.feature} ({one.model})"


def _area(one: Attack) -> str:
    return fixed(one.target.auc, one.target.low, one.target.high)


def _gain(found: Leakage) -> str:
    return fixed(found.gain, found.gain_low, found.gain_high)


def _percent(share: float) -> str:
    return f"{number(100 * share, 2)} %"
