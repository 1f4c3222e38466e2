"""`evidence.html`: a statement for people, on one page, with the machine form inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vestige.evaluation.page.audits import GUARDS, STATES
from vestige.evaluation.page.cards import card
from vestige.evidence.statement import OUTPUTS, Predicate, Statement
from vestige.report import Badge, Cell, Column, Page, Section, Table, Text
from vestige.report.blocks import Block
from vestige.report.words import DASH, flattened, number, percent, plural

CARRIED = re.compile(r'<script type="application/json" id="evidence">(.*?)</script>', re.DOTALL)
SHORT = 16
"""Digits of a digest that a page shows where the whole one stands elsewhere on it."""
ASSURANCE = {
    "self-attested": "whoever answers for the model measured it and says so",
    "reproduced": "somebody else computed it again from the same outputs",
    "third-party": "somebody else asked the model and measured it",
}
GLOSSARY = (
    "Completeness",
    "Under-unlearned",
    "Over-unlearned",
    "Controls",
    "Forget, retain, holdout",
    "Undecided",
)


def page(statement: Statement, envelope: Mapping[str, Any]) -> Page:
    """Return the page of a statement; its first sentence says what was found."""
    predicate = statement.predicate
    audit = predicate.audit
    line = predicate.scope.line
    return Page(
        f"Evidence of deletion: {line or audit.name}",
        [card(audit.name, audit)],
        [_about(statement, envelope), _sharp(predicate), _controls(predicate), _measures(predicate),
         _subject(statement), _check(predicate)],
        GLOSSARY,
        limits=[("", predicate.limits)],
        limited="evidence",
        facts=[
            f"Issued {_date(predicate.issued)}, valid until {_date(predicate.valid_until)}",
            f"{predicate.assurance}: {ASSURANCE[predicate.assurance]}",
        ],
        manifest={"vestige": predicate.software.get("vestige"), "arrays (salted SHA-256)": audit.arrays,
                  "software": predicate.software},
        carried={"evidence": envelope},
    )  # fmt: skip


def _about(statement: Statement, envelope: Mapping[str, Any]) -> Section:
    """Say who asked, what saw the records, what was done, who signed."""
    predicate = statement.predicate
    request, scope, action = predicate.request, predicate.scope, predicate.action
    saw = {True: "saw the records", False: "did not see them", None: "not known"}
    rows = [
        ("Request", request.pseudonym or "not named"),
        ("Received, due", f"{_date(request.received)}, {_date(request.due)}"),
        ("Records", DASH if scope.records is None else number(scope.records)),
        *(("Version " + version.name, saw[version.saw]) for version in scope.versions),
        ("How that is known", scope.known_by),
        ("What was done", action.method or "not stated"),
        *(("Option " + name, text) for name, text in _options(action.options)),
        ("Seed", DASH if action.seed is None else str(action.seed)),
        *(("Cost, " + name, number(value)) for name, value in action.cost.items()),
        ("Recipe (SHA-256)", action.recipe or DASH),
        ("Signed by", ", ".join(entry["keyid"][:SHORT] for entry in envelope["signatures"])),
    ]
    text = (
        "Who asked is named by a pseudonym, whose key is kept elsewhere. It is signed by who holds the key."
    )
    return Section("about", "Request, scope and action", "Request", [Text(text), _pairs("Request", rows)])


def _sharp(predicate: Predicate) -> Section:
    """Say what would have been seen, and what could not be measured."""
    audit = predicate.audit
    least = audit.sharpness.influence
    seen = "No planted trace in every record would have been seen so surely."
    if least is not None:
        seen = (
            f"The smallest influence that it would have seen is {percent(least)} of a kept record's, in each."
        )
    sentence = f"{seen} Seen means: found in {audit.sharpness.probability:.0%} of planted cases or more."
    rows = [[power.trace, f"{power.probability:.0%}"] for power in audit.verdict.power]
    columns = [Column("Planted trace"), Column("Found in", "number")]
    blocks: list[Block] = [Text(sentence), *([Table("Power", columns, rows)] if rows else [])]
    if audit.negative_results:
        lost: list[list[str | Cell]] = [
            [negative.what, Cell(negative.reason, "words")] for negative in audit.negative_results
        ]
        blocks.append(
            Table("Not measured", [Column("Not measured or checked"), Column("Why", "words")], lost)
        )
    return Section("power", "What this audit could have seen", "Power", blocks)


def _controls(predicate: Predicate) -> Section:
    """Show every control with its figure, and whether it held."""
    columns = [
        Column("Result", label="Result"), Column("What must hold", "words", "Must hold"),
        Column("It guards", "words", "Guards"), Column("Figure", "number", "Figure"),
        Column("Wanted", "words", "Wanted"),
    ]  # fmt: skip
    rows: list[Sequence[str | Cell]] = []
    for control in predicate.audit.controls:
        state, sign = STATES[control.passed]
        badge = Cell("", badge=Badge(state, state.capitalize(), sign))
        name = Cell(control.name.capitalize(), note=control.statement)
        rows.append([badge, name, GUARDS[control.kind], number(control.value, 3), control.wanted or DASH])
    empty = Text("No control was run: the measurement itself is untested.", "empty")
    table = Table("Controls", columns, rows, "stacked", headed=False)
    return Section("controls", "Does the measurement work?", "Controls", [table if rows else empty])


def _measures(predicate: Predicate) -> Section:
    """Show how it was measured."""
    audit = predicate.audit
    roles = ", ".join(f"{count:,} {role}" for role, count in audit.roles.items())
    intro = (
        f"{roles} records of {audit.classes:,} classes, {plural(audit.shadows, 'shadow model')}; error rate of each "
        f"claim {percent(audit.verdict.alpha)}, tolerance {percent(audit.verdict.tolerance)}, seed {audit.seed}."
    )
    columns = [
        Column("Measure"), Column("Preset and options", "words"), Column("Scores"), Column("Mean", "number"),
        Column("p-values from", "words"),
    ]  # fmt: skip
    rows: list[Sequence[str | Cell]] = []
    for run in audit.measures:
        options = ", ".join(f"{name} = {text}" for name, text in _options(run.options))
        asked = f"{run.preset}{': ' if options else ''}{options}"
        if run.scores is None:
            rows.append([run.label, asked, Cell(run.reason or "No reason was given.", "words missing", 3)])
        else:
            rows.append(
                [run.label, asked, number(run.scores.count), number(run.scores.mean), run.null or "none"]
            )
    return Section(
        "measures", "How it was measured", "Measures", [Text(intro), Table("Measures", columns, rows)]
    )


def _subject(statement: Statement) -> Section:
    """Show what was audited, by its digests."""
    what = "Every file of the audited model, by its SHA-256."
    if statement.subject[0].name == OUTPUTS:
        what = "The array of outputs that was audited, by its SHA-256; the model's files were not at hand."
    rows: list[list[str | Cell]] = [
        [subject.name, Cell(subject.digest.sha256, "digest")] for subject in statement.subject
    ]
    table = Table("Subject", [Column("File"), Column("SHA-256")], rows, tall=len(rows) > 20)
    return Section("subject", "What was audited", "Subject", [Text(what), table])


def _check(predicate: Predicate) -> Section:
    """Say how to verify it."""
    records = predicate.audit.records
    sentences = (
        "Do not trust this page: verify it. With the public key, which must have come to you in another way, run "
        "“vestige verify evidence.json --key signer.pub”. With the signals and disclosure.json every score and verdict "
        "is computed again: add “--signals FOLDER”. With the model's files, add “--weights FOLDER”. It runs offline.",
        f"The answers for {records.size:,} records are the leaves of a Merkle tree (RFC 6962) with the root "
        f"{records.root}. The holder of disclosure.json can prove one record's answer without showing any other.",
    )
    return Section("verify", "How to verify", "Verify", [Text(sentence) for sentence in sentences])


def _pairs(label: str, rows: Sequence[tuple[str, str]]) -> Table:
    return Table(
        label, [Column("What"), Column("Said", "words")], [[name, text] for name, text in rows], "pairs"
    )


def _options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return flattened(options) if options else []


def _date(moment: datetime | None) -> str:
    return DASH if moment is None else moment.date().isoformat()
