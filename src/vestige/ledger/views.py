"""What is known of each commitment under each version of a model line: as a table for a terminal, and as a page.

    request  records   1     2     3     4
    R4            12  saw  91 %  88 %  95 %
    R31           20  saw   saw  97 %  8 %!

A share is the completeness of the audit, how much of the records' influence is gone; saw: by its training manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vestige.ledger import watch
from vestige.ledger.projections import ENDED
from vestige.report import Badge, Cell, Column, Page, Section, Table, Text
from vestige.report.words import DASH, OUTCOME_WORDS, is_missing, plural

if TYPE_CHECKING:
    from vestige.ledger.ledger import Ledger

SAW, REOPENED, KEPT, UNTESTED = "saw", "reopened", "kept", "untested"
BADGES = {
    REOPENED: Badge("under", "Opened again", "▼"),
    UNTESTED: Badge("undecided", "Could not be tested", "?"),
    **{name: Badge(name, word.word, word.sign) for name, word in OUTCOME_WORDS.items()},
}
MEANING = (
    "A share is the completeness: how much of the influence of the records is gone, by the audit of that version, with "
    "its interval. It rests on few records and spreads accordingly; what opens a commitment again is the group test "
    "under its error control, and not the share. A dash: it could not be said. “saw”: the version was trained on the "
    "records, by its manifest. A field is empty where a version came before the request, or was not audited for it."
)


@dataclass(frozen=True)
class Look:
    """What is known of one commitment under one version.

    Attributes
    ----------
    outcome : str
        "saw" by its manifest; "unlearned", "undecided", "under" or "over" of the audit after the deletion; "kept",
        "reopened" or "untested" of monitoring.
    completeness, low, high : float or None
        Share of the records' influence that is gone, with its interval; larger = more unlearned.
    """

    outcome: str
    completeness: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """As a terminal shows it: "saw", "97 %", "8 %!" where it re-opened the commitment, "–" without a figure."""
        if self.outcome == SAW:
            return SAW
        share = DASH if is_missing(self.completeness) else f"{100 * float(self.completeness or 0):.0f} %"
        return f"{share}{'!' if self.outcome in (REOPENED, 'under') else ''}"

    @property
    def interval(self) -> str:
        """The interval in percent, "80 to 100 %"; "" where there is none."""
        if is_missing(self.low) or is_missing(self.high):
            return ""
        return f"{100 * float(self.low or 0):.0f} to {100 * float(self.high or 0):.0f} %"


@dataclass(frozen=True)
class Overview:
    """The commitments of a model line over its versions.

    Attributes
    ----------
    line : str
    versions : tuple of str
        In the order in which they came.
    records : dict of str to int
        How many each request is about; requests in the order in which they came.
    states : dict of str to str
        What state each commitment is in now; how the request ended, where it has.
    looks : dict of str to dict of str to Look
        By request and version.
    """

    line: str
    versions: tuple[str, ...]
    records: Mapping[str, int]
    states: Mapping[str, str]
    looks: Mapping[str, Mapping[str, Look]]

    def text(self) -> str:
        """Return the table for a terminal: versions by number, and below it what the numbers are."""
        rows = [["request", "records", *(str(number + 1) for number in range(len(self.versions))), "state"]]
        for request, looks in self.looks.items():
            cells = [looks[name].text if name in looks else "" for name in self.versions]
            rows.append([request, f"{self.records[request]:,}", *cells, self.states[request]])
        width = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = []
        for row in rows:
            middle = (cell.rjust(wide) for cell, wide in zip(row[1:-1], width[1:-1], strict=True))
            lines.append("  ".join([row[0].ljust(width[0]), *middle, row[-1]]).rstrip())
        names = ", ".join(
            f"{number} {name.partition('@')[2]}" for number, name in enumerate(self.versions, 1)
        )
        return "\n".join([*lines, "", f"{self.line}: {names}", "saw: by its manifest; !: a trace was seen"])

    def page(self) -> Page:
        """Return the table as a page, with intervals."""
        columns = [
            Column("Request"),
            Column("Records", "number"),
            *(Column(name.partition("@")[2], "number") for name in self.versions),
            Column("State"),
        ]
        rows: list[list[str | Cell]] = []
        for request, looks in self.looks.items():
            cells = [_cell(looks[name]) if name in looks else Cell("") for name in self.versions]
            rows.append([request, f"{self.records[request]:,}", *cells, self.states[request]])
        table = Table("Completeness over versions", columns, rows)
        opened = sum(look.outcome == REOPENED for looks in self.looks.values() for look in looks.values())
        again = f"Commitments that an audit of a later version opened again: {opened:,}."
        facts = [plural(len(self.looks), "commitment"), plural(len(self.versions), "version")]
        section = Section("history", "Completeness over versions", "Versions", [Text(MEANING), table])
        return Page(
            f"Commitments of {self.line}", [], [section], ("Completeness",), facts=facts, overview=again
        )


def overview(ledger: Ledger, line: str) -> Overview:
    """Return what is known of each commitment of a line under each of its versions.

    Figures are those of the audits after the deletion, of versions that came later, and of re-opened requests again.
    """
    versions = tuple(version.id for version in ledger.models.list(line))
    requests = sorted(ledger.requests.list(line=line), key=lambda request: int(request.id[1:]))
    figures, decided = watch.history(ledger, line), watch.matrix(ledger, line)
    looks: dict[str, dict[str, Look]] = {}
    for request in requests:
        own: dict[str, Look] = {}
        for event in ledger.events("request.audited", request.id):
            body = event.body
            if body["line"] == line:
                own[body["version"]] = Look(body["outcome"], body["completeness"], body["low"], body["high"])
        for version, outcome in decided.get(request.id, {}).items():
            known = figures.get(request.id, {}).get(version, {})
            if outcome != SAW or version not in own:
                own[version] = Look(outcome, known.get("completeness"), known.get("low"), known.get("high"))
        looks[request.id] = own
    return Overview(
        line,
        versions,
        {request.id: len(request.records) for request in requests},
        {
            request.id: request.state if request.state in ENDED else request.commitment(line).state
            for request in requests
        },
        looks,
    )


def _cell(look: Look) -> Cell:
    if look.outcome == SAW:
        return Cell(SAW)
    badge = None if look.outcome == KEPT else BADGES[look.outcome]
    return Cell(look.text, badge=badge, note=look.interval)
