"""The report of one or more audits, put together from its sections; the verdict comes first.

To add a section, write a function that returns it and name it in `sections`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.errors import InputError
from vestige.evaluation.page.cards import badge_of, card, overview
from vestige.evaluation.page.comparison import compare
from vestige.evaluation.page.drawn import Audits, Drawn, before_after, by_method, roc, scores
from vestige.evaluation.page.retained import retained
from vestige.evaluation.page.samples import Pictures, Samples, choose_pictures, suspicious
from vestige.report.blocks import (
    Badge,
    Block,
    Cell,
    Column,
    Heading,
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

MOST_CARDS = 6
"""Methods beyond which the verdicts are a table, with the cards folded below the first sentence."""
GLOSSARY = (
    "Score", "Under-unlearned", "Over-unlearned", "p_under", "p_over", "Completeness", "Degree",
    "Could be untouched unseen", "Trace", "Controls", "Forget, retain, holdout", "Shadow model", "Closer to retrain",
    "Newly exposed", "Damaged", "Features", "Undecided",
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
    drawn = Drawn(audits, next((table.measure for table in tables if table.measure), None))
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
        retained(audits),
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


def samples(audits: Audits, tables: Sequence[Samples], places: Mapping[str, int]) -> Section:
    """Return the forget samples by suspicion."""
    panels = by_method(audits, lambda m, audit: tables[m].blocks(places, m))
    return Section("samples", "Forget samples, most suspicious first", "Samples", panels)


def measures(audits: Audits) -> Section:
    """Return every requested measure and every figure, also those that could not be computed."""

    def draw(m: int, audit: Audit) -> list[Block]:
        name = list(audits)[m]
        took = f"The whole audit took {seconds(audit.seconds)}."
        intro = Text(f"Every requested measure, also those that could not be computed. {took}")
        none = Text("No measure was requested.", "empty")
        return [intro, measure_table(name, audit) if audit.measures else none, *_figures(name, audit)]

    return Section("measures", "Measures and figures", "Measures", by_method(audits, draw))


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
    if not audit.figures:
        return [Text("No figure was computed.", "empty")]
    columns = [
        Column("Measure"), Column("Figure"), Column("Value [95 %]", "number"), Column("How to read it", "words"),
        Column("Range"), Column("Reference", "words"), Column("Compared", "words"), Column("Samples", "number"),
    ]  # fmt: skip
    rows = [metric_cells(metric) for metric in audit.figures]
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
