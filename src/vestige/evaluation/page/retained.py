"""The section on retained records: which of them the deletion newly exposed, and which it damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vestige.evaluation.page.drawn import by_method
from vestige.report.blocks import Block, Cell, Column, Heading, Table, Text
from vestige.report.page import Section
from vestige.report.words import DASH, number, percent, unbroken

if TYPE_CHECKING:
    from vestige.evaluation.result import Audit
    from vestige.evaluation.retained import Effect, Retained

MOST = 200
"""Named records that a report lists; all of them are in retained.parquet."""
SHOWN = {
    "exposed": ("Newly exposed", (("p_exposed", "p"), ("p_before", "p before"), ("p_after", "p after"))),
    "damaged": ("Damaged", (("p_damaged", "p"), ("fall", "Fall"))),
}


def retained(audits: Mapping[str, Audit]) -> Section:
    """Return what the deletion did to the records that were kept, a panel for each method."""

    def draw(m: int, audit: Audit) -> list[Block]:
        effects = audit.retained
        if effects is None:
            return [Text("Retained records were not looked at.", "empty")]
        if effects.exposed is None or effects.damaged is None:
            return [Text(effects.sentence, "empty")]
        return [Text(unbroken(effects.sentence)), _counts(effects), *_listed(effects)]

    intro = "What did this deletion do to others? Records that were kept should neither be given away nor be lost."
    return Section("retained", "Retained records", "Retained", [Text(intro), *by_method(audits, draw)])


def _counts(effects: Retained) -> Table:
    columns = [
        Column("Effect"), Column("Named", "number"), Column("Share [95 %]", "number"), Column("Of", "number"),
        Column("Fewest that could be named", "number"), Column("Control", "words"),
    ]  # fmt: skip
    rows = [
        _cells(title, effect, effects)
        for title, effect in (("Newly exposed", effects.exposed), ("Damaged", effects.damaged))
        if effect is not None
    ]
    return Table("Retained records", columns, rows)


def _cells(title: str, effect: Effect, effects: Retained) -> list[str | Cell]:
    interval = f"{percent(effect.share)} [{percent(effect.low)}, {percent(effect.high)}]"
    control = DASH if effect.control is None else f"{effect.control:,} with {effects.control_is}"
    return [title, f"{effect.named:,}", interval, f"{effects.n:,}", f"{effect.least:,}", control]


def _listed(effects: Retained) -> list[Block]:
    """Return the named records of each effect, the clearest first."""
    blocks: list[Block] = []
    for name, (title, numbers) in SHOWN.items():
        rows = effects.table[effects.table[name]].sort_values([f"p_{name}", "id"])
        if rows.empty:
            continue
        more = f"; the first {MOST:,} are listed, all are in retained.parquet" if len(rows) > MOST else ""
        columns = [Column("Record", "id"), *(Column(word, "number") for _, word in numbers)]
        cells = [
            [str(row["id"]), *(number(row[column], 3) for column, _ in numbers)]
            for row in rows.head(MOST).to_dict("records")
        ]
        blocks += [
            Heading(f"{title}: {len(rows):,}{more}"),
            Table(title, columns, cells, tall=True, headed=False),
        ]
    return blocks
