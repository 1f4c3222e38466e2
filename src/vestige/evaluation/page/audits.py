"""The report of one or more audits, put together from its sections; the verdict comes first.

To add a section, write a function that returns it and name it in `sections`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation.page import plots
from vestige.evaluation.page.cards import badge_of, card, overview
from vestige.evaluation.page.comparison import auc_of, compare
from vestige.evaluation.page.samples import Pictures, Samples, choose_pictures, suspicious
from vestige.report.blocks import (
    Badge,
    Beside,
    Block,
    Cell,
    Column,
    Drawing,
    Heading,
    Panel,
    Picker,
    Table,
    Text,
)  # fmt: skip
from vestige.report.page import Page, Section, write
from vestige.report.words import (
    DASH,
    is_missing,
    listed,
    number,
    plain_text,
    plural,
    range_words,
    seconds,
    with_interval,
)  # fmt: skip

if TYPE_CHECKING:
    from vestige.evaluation.result import Audit, MeasureRun, Metric

Audits = Mapping[str, "Audit"]

MOST_FIGURES = 40
"""Methods x measures beyond which figures are drawn for one measure only."""
MOST_CARDS = 6
"""Methods beyond which the verdicts are a table, with the cards folded below the first sentence."""
GLOSSARY = (
    "Score", "Under-unlearned", "Over-unlearned", "p_under", "p_over", "Completeness", "Degree",
    "Could be untouched unseen", "Trace", "Controls", "Forget, retain, holdout", "Shadow model", "Closer to retrain",
    "Undecided",
)  # fmt: skip
GUARDS = {"reference": "every answer", "sharpness": "the all-clear, and “over”"}
STATES = {True: ("passed", "✓"), False: ("failed", "✕"), None: ("not run", "○")}


def write_report(
    path: Path | str,
    audits: Audits,
    *,
    title: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    pictures: Pictures | None = None,
) -> Path:
    """Write a self-contained report of one or more audits and return its path; the same input gives the same bytes.

    Parameters
    ----------
    path : path
    audits : mapping of str to Audit
        The audits by the name of their method, shown in this order.
    title : str, optional
        Heading; made from the names where not given.
    manifest : mapping, optional
        What the run knows: "vestige", "created", "data" (with "class_names", where known), "config", "hashes",
        "timings", "models".
    pictures : function, optional
        Asked for PNG bytes of at most 200 listed forget samples; only where the data are images.

    Returns
    -------
    Path
        The file, which opens offline and holds everything it shows.

    Raises
    ------
    InputError
        Where there is no audit, or a picture is not a PNG.
    """
    if not audits:
        raise InputError("A report needs at least one audit; none was given.")
    return write(path, page(audits, title=title, manifest=manifest, pictures=pictures))


def page(
    audits: Audits,
    *,
    title: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    pictures: Pictures | None = None,
) -> Page:
    """Return the page that `write_report` writes."""
    manifest = manifest or {}
    tables = [suspicious(audit, _class_names(manifest)) for audit in audits.values()]
    shown = choose_pictures(tables, pictures)
    notes = f"Pictures are embedded for the {len(shown):,} most suspicious samples."
    for table in tables:
        if pictures is not None and len(table.rows) > len(shown):
            table.notes.append(notes)
    names = list(audits)
    places = {name: place for place, name in enumerate(shown)}
    return Page(
        title or (f"Unlearning audit: {names[0]}" if len(names) == 1 else f"Unlearning audit of {len(names)} methods"),
        [card(name, audit, label=f"Verdict for {name}") for name, audit in audits.items()],
        sections(audits, tables, places),
        GLOSSARY,
        limits=_limits(audits),
        facts=list(dict.fromkeys(facts(audit) for audit in audits.values())),
        overview=overview(audits) if len(audits) > 1 else "",
        folded=len(audits) > MOST_CARDS,
        manifest=manifest,
        style="".join(
            f".picture-{place}{{background-image:url(data:image/png;base64,{picture})}}\n"
            for place, picture in enumerate(shown.values())
        ),
    )  # fmt: skip


def sections(audits: Audits, tables: Sequence[Samples], places: Mapping[str, int]) -> list[Section | Picker]:
    """Return the sections in their order; those after the picker show one method and one measure at a time."""
    drawn = _Drawn(audits, next((table.measure for table in tables if table.measure), None))
    return [
        compared(audits),
        controls(audits),
        Picker(
            list(audits),
            [name + " (failed)" * failed for name, failed in drawn.measures.items()],
            drawn.first,
        ),
        scores(drawn),
        roc(drawn),
        before_after(audits),
        samples(audits, tables, places),
        measures(audits),
    ]


def facts(audit: Audit) -> str:
    """Return what was audited: samples by role, classes, reference models."""
    signals = audit.signals
    roles = [(role, int((signals.roles == role).sum())) for role in ("forget", "retain", "holdout")]
    parts = [f"{count:,} {role}" for role, count in roles if count]
    shadows = plural(signals.shadows, "shadow model") if signals.shadows else "no shadow model"
    before = "" if signals.original is not None else ", no model from before unlearning"
    what = f"{signals.classes:,} classes" if signals.kind == "logits" else signals.known
    return f"{' + '.join(parts)} samples, {what}, {shadows}{before}"


def compared(audits: Audits) -> Section:
    """Return the key figures, or methods side by side: a column each, or a row each where they are many."""
    figures, many = compare(audits), len(audits) > MOST_CARDS
    note = (
        "Brackets hold 95 % intervals; that of the completeness holds with the error rate of the verdict. “Closer to "
        "retrain”: neither higher nor lower is better; the best value is that of a model retrained without the forget "
        "samples."
    )
    title = "Methods compared" if len(audits) > 1 else "Key figures"
    if many:
        note += " Why a cell has a dash instead of a figure is told by the verdict in words, above."
        rows: list[list[str | Cell]] = [
            [
                name,
                Cell("", badge=badge_of(audit)),
                *(DASH if cell.startswith(DASH) else cell for cell in cells[2:]),
            ]
            for (name, audit), cells in zip(audits.items(), figures.itertuples(index=False), strict=True)
        ]
        columns = [Column(str(name)) for name in figures]
    else:
        columns = [Column("Figure"), *map(Column, audits)]
        rows = [
            [str(name), *(Cell(cell, "missing" if cell.startswith(DASH) else "") for cell in figures[name])]
            for name in figures.columns[1:]
        ]
    table = Table(title, columns, rows, "compared by-method" if many else "compared")
    return Section("methods", title, "Compared", [table, Text(note, "aside")])


def controls(audits: Audits) -> Section:
    """Return every control of every audit, failed ones first."""
    several = len(audits) > 1
    columns = [
        *([Column("Method", label="Method")] if several else []), Column("Result", label="Result"),
        Column("What must hold", "words", "Must hold"), Column("It guards", "words", "Guards"),
        Column("What was checked", "words statement", "Checked"), Column("Value", "number", "Value"),
        Column("Wanted", "words", "Wanted"),
    ]  # fmt: skip
    order = (False, None, True)
    rows = sorted(
        ((name, control) for name, audit in audits.items() for control in audit.controls),
        key=lambda row: order.index(row[1].passed),
    )
    cells: list[list[str | Cell]] = []
    for name, control in rows:
        state, sign = STATES[control.passed]
        reason = "" if control.passed is not None else f"Not run: {control.reason or 'no reason was given'}."
        cells.append([
            *([name] if several else []), Cell("", badge=Badge(state, state.capitalize(), sign)),
            control.name.capitalize(), GUARDS[control.kind], Cell(control.statement, note=reason),
            number(control.value, 3), control.wanted or DASH,
        ])  # fmt: skip
    none = (
        "No control was run. A control needs samples whose truth is known: retained samples (the model still has them) "
        "and holdout samples (it never saw them)."
    )
    table = Table("Controls", columns, cells, "stacked", tall=len(audits) > MOST_CARDS, headed=False)
    intro = "Does the measurement itself work? Each control says what it guards: where it fails, that is withheld."
    return Section("controls", "Controls", "Controls", [Text(intro), table if cells else Text(none, "empty")])


class _Drawn:
    """The figures of every measure of every method, or the reason why there are none.

    measures  {measure: could it be computed for no method?}
    first     place of the measure that is shown first
    """

    def __init__(self, audits: Audits, shown: str | None) -> None:
        self.audits = audits
        runs = [(run.label, run.status) for audit in audits.values() for run in audit.measures]
        scored = {name for name, status in runs if status == "scored"}
        self.measures = {name: name not in scored for name, _ in runs}
        self.only = shown if len(self.measures) * len(audits) > MOST_FIGURES else None
        self.first = list(self.measures).index(shown) if shown in self.measures else 0
        self.scores = [_scores_by_role(audit) for audit in audits.values()]

    def panels(self, draw: Any) -> list[Panel]:
        """Return a panel for each method and measure; `draw(by_role, audit, run, key)` returns its blocks."""
        panels = []
        for m, (name, audit) in enumerate(self.audits.items()):
            runs = {run.label: run for run in audit.measures}
            for j, measure in enumerate(self.measures):
                run = runs.get(measure)
                reason = self._reason(measure, run)
                blocks: list[Block] = [Heading(f"{name}, {measure}", "of")] if len(self.audits) > 1 else []
                if reason:
                    blocks.append(Text(reason, "empty"))
                else:
                    blocks += draw(self.scores[m].get(measure, {}), audit, run, f"m{m}", j)
                panels.append(Panel(blocks, m, j, not m and j == self.first))
        return panels

    def _reason(self, measure: str, run: MeasureRun | None) -> str:
        if run is None:
            return f"{measure} was not requested for this method."
        if run.status == "failed":
            return f"{measure} could not be computed: {run.reason or 'no reason given'}"
        if self.only is not None and measure != self.only:
            return f"Left out to keep this report small; figures are drawn for {self.only} only."
        return ""


def _scores_by_role(audit: Audit) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return {measure: {role: finite scores [n]}}."""
    by_measure: dict[str, dict[str, NDArray[np.float64]]] = {}
    for (measure, role), rows in audit.scores.groupby(["measure", "role"], sort=False, observed=True):
        values = rows["score"].dropna().to_numpy(dtype="float64")
        by_measure.setdefault(str(measure), {})[str(role)] = values
    return by_measure


def scores(drawn: _Drawn) -> Section:
    """Return the score distributions by role."""

    def draw(by_role: Any, audit: Audit, run: MeasureRun, key: str, j: int) -> list[Block]:
        drawing = plots.distributions(by_role, run.label, run.unit, f"{key}-s{j}")
        return [replace(drawing, style="beside")]

    intro = (
        "Where do the forget samples lie? After unlearning they should look like the holdout samples, which the model "
        "never saw, and no longer like the retained ones."
    )
    none = [] if drawn.audits else [Text("No method was audited.", "empty")]
    return Section("scores", "Score distributions", "Scores", [Text(intro), *drawn.panels(draw), *none])


def roc(drawn: _Drawn) -> Section:
    """Return the ROC of forget against retained samples, linear and logarithmic."""

    def draw(by_role: Any, audit: Audit, run: MeasureRun, key: str, j: int) -> list[Block]:
        linear, logarithmic = plots.roc(by_role, run.label, auc_of(audit, run.label), f"{key}-r{j}")
        return [Beside([linear, logarithmic]) if linear.svg else linear]

    intro = (
        "Calling a sample unlearned when its score is at least a threshold: which share of the forget samples is "
        "found, at which share of retained samples wrongly called unlearned? The further above the chance line, the "
        "more clearly the forget samples differ from those the model still has."
    )
    return Section("roc", "ROC: forget against retain", "ROC", [Text(intro), *drawn.panels(draw)])


def before_after(audits: Audits) -> Section:
    """Return the log-odds of the true label before and after unlearning."""
    intro = (
        "What did unlearning change? Retained samples should stay on the dashed line, forget samples should drop to "
        "where holdout samples lie, and no further."
    )

    def draw(m: int, audit: Audit) -> list[Block]:
        drawing: Drawing = plots.before_after(audit.signals, key=f"m{m}-before-after")
        return [replace(drawing, style="beside")]

    return Section(
        "before-after", "Before and after", "Before and after", [Text(intro), *_by_method(audits, draw)]
    )


def _by_method(audits: Audits, draw: Any) -> list[Panel]:
    """Return a panel for each method with the blocks that `draw(number, audit)` returns."""
    return [
        Panel(
            [*([Heading(name, "of")] if len(audits) > 1 else []), *draw(m, audit)], m, shown=not m
        )
        for m, (name, audit) in enumerate(audits.items())
    ]  # fmt: skip


def samples(audits: Audits, tables: Sequence[Samples], places: Mapping[str, int]) -> Section:
    """Return the forget samples by suspicion."""
    panels = _by_method(audits, lambda m, audit: tables[m].blocks(places, m))
    return Section("samples", "Forget samples, most suspicious first", "Samples", panels)


def measures(audits: Audits) -> Section:
    """Return every requested measure and every figure, also those that could not be computed."""

    def draw(m: int, audit: Audit) -> list[Block]:
        name = list(audits)[m]
        took = f"The whole audit took {seconds(audit.seconds)}."
        intro = Text(f"Every requested measure, also those that could not be computed. {took}")
        none = Text("No measure was requested.", "empty")
        return [intro, measure_table(name, audit) if audit.measures else none, *_figures(name, audit)]

    return Section("measures", "Measures and figures", "Measures", _by_method(audits, draw))


def measure_table(name: str, audit: Audit) -> Table:
    """Return every requested measure; one that failed has its reason in place of its figures."""
    columns = [
        Column("Measure"), Column("Status"), Column("Unit", "words"), Column("Cost", "number"),
        Column("p-values from", "words"), Column("Preset and options", "words"), Column("Source", "words"),
    ]  # fmt: skip
    return Table(f"Measures of {name}", columns, [_measure_cells(run) for run in audit.measures])


def _measure_cells(run: MeasureRun) -> list[str | Cell]:
    options = ", ".join(f"{key} = {plain_text(value)}" for key, value in run.options.items()) or "defaults"
    first = Cell(run.label, note="the verdict rests on it" if run.measure == "trace" else "")
    if run.status == "failed":
        reason, asked = run.reason or "No reason was given.", f"{run.preset}: {options}"
        return [
            first,
            Cell("", badge=Badge("failed", "Failed", "✕")),
            Cell(reason, "words missing", 5, note=asked),
        ]
    return [
        first, Cell("", badge=Badge("passed", "Scored", "✓")), run.unit or DASH, seconds(run.seconds),
        run.null or "none", f"{run.preset}: {options}", run.cites or DASH,
    ]  # fmt: skip


def _figures(name: str, audit: Audit) -> list[Block]:
    if not audit.metrics:
        return [Text("No figure was computed.", "empty")]
    columns = [
        Column("Measure"), Column("Figure"), Column("Value [95 %]", "number"), Column("How to read it", "words"),
        Column("Range"), Column("Reference", "words"), Column("Compared", "words"), Column("Samples", "number"),
    ]  # fmt: skip
    rows = [metric_cells(metric) for metric in audit.metrics]
    return [Heading("All figures"), Table(f"Figures of {name}", columns, rows, tall=True, headed=False)]


def metric_cells(metric: Metric) -> list[str | Cell]:
    """Return a figure with direction, range, reference and interval; one that is missing with its reason."""
    value: str | Cell = with_interval(metric.value, metric.low, metric.high)
    if is_missing(metric.value):
        value = Cell(f"{DASH} {metric.reason or 'No reason was given.'}", "words missing")
    reference = metric.reference_is or DASH
    if not is_missing(metric.reference):
        reference = number(metric.reference) + (f" ({metric.reference_is})" if metric.reference_is else "")
    return [
        metric.measure, metric.name, value, metric.direction, range_words(*metric.range), reference,
        metric.comparison or DASH, f"{metric.n:,}" if metric.n else DASH,
    ]  # fmt: skip


def _limits(audits: Audits) -> list[tuple[str, tuple[str, ...]]]:
    """Return the limits, once for methods that share them; without names where all do."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for name, audit in audits.items():
        shared.setdefault(audit.limits, []).append(name)
    return [
        (listed(names) if len(shared) > 1 else "", sentences) for sentences, names in shared.items()
    ]  # fmt: skip


def _class_names(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes that the manifest's "data" holds, or nothing."""
    data = manifest.get("data")
    names = data.get("class_names") if isinstance(data, Mapping) else None
    return [str(name) for name in names] if isinstance(names, (list, tuple)) else []
