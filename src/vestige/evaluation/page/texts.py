"""The report of texts: the verdict, every measure on texts, and where in a text the trace sits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.evaluation.page.audits import write_report
from vestige.evaluation.page.cards import card
from vestige.files import as_path
from vestige.report.blocks import Badge, Block, Cell, Column, Heading, Table, Text
from vestige.report.page import Page, Section, write
from vestige.report.tables import csv_text
from vestige.report.words import DASH, RECORD_WORDS, is_missing, number, plural, with_interval
from vestige.store import write_json, write_text

if TYPE_CHECKING:
    from vestige.evaluation.texts import TextAudit

MOST = 20
STEPS = (0.5, 1.0, 2.0, 4.0)  # nats from which on a token is shaded, level by level
GLOSSARY = ("Loss", "Reference", "Trace of a token", "Retained, holdout")


def write_texts_report(
    path: Path | str,
    made: TextAudit,
    texts: Mapping[str, str],
    *,
    title: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    words: float | None = None,
) -> Path:
    """Write a self-contained page to `path` and return it; the same input gives the same bytes.

    Parameters
    ----------
    texts : Mapping[str, str]
        {id: text} of the forget texts, to show them.
    words : float or None
        AUC of telling forget from holdout texts by their words alone; a high one is warned of.
    """
    verdict = made.audit.verdict
    warnings: tuple[str, ...] = ()
    if words is not None and abs(words - 0.5) > 0.2:
        warnings = (
            f"Forget and holdout texts can be told apart by their words alone (AUC {number(words, 3)}): figures "
            "between these groups speak of the texts as much as of the model.",
        )
    page = Page(
        title or f"Texts: {made.audit.name}",
        [card(made.audit.name, made.audit, warnings)],
        [_map(made, texts), _measures(made)],
        GLOSSARY,
        limits=[("", made.audit.limits)],
        facts=[plural(sum(verdict.counts.values()), "forget text")],
        manifest=manifest or {},
    )
    return write(path, page)


def save(
    made: TextAudit,
    folder: Path | str,
    texts: Mapping[str, str],
    *,
    manifest: Mapping[str, Any],
    words: float | None = None,
) -> Path:
    """Write audit/, measures.csv, manifest.json, report.html and texts.html into a folder and return it.

    Parameters
    ----------
    texts, words
        As of `write_texts_report`.
    """
    folder = as_path(folder)
    made.audit.write(folder / "audit")
    header = list(made.table[0])
    write_text(
        folder / "measures.csv", csv_text(header, [[row[name] for name in header] for row in made.table])
    )
    write_json(folder / "manifest.json", manifest)
    write_texts_report(folder / "texts.html", made, texts, manifest=manifest, words=words)
    write_report(folder / "report.html", {made.audit.name: made.audit}, manifest=manifest)
    return folder


def _map(made: TextAudit, texts: Mapping[str, str]) -> Section:
    """Return the forget texts with every token shaded by its trace."""
    blocks = _texts(made, texts)
    intro: list[str | tuple[str, str]] = [
        f"The {len(blocks) // 3} forget texts that are still likeliest in comparison with the reference model, which "
        "never saw them. ",
        ("more-3", "Shaded"), ": likelier than to the reference, a trace. ", ("less-3", "Underlined"),
        ": less likely, damage.",
    ]  # fmt: skip
    none = "No map: it needs a reference model with the same tokenizer, and one that says where its tokens stand."
    whole = [Text(intro), *blocks] if blocks else [Text(none, "empty")]
    return Section("texts", "Forget texts, token by token", "Texts", whole)


def _measures(made: TextAudit) -> Section:
    columns = [
        Column("Measure"), Column("against retained [95 %]", "number"), Column("against holdout [95 %]", "number"),
        Column("Unit"),
    ]  # fmt: skip
    intro = (
        "AUC of forget against retained texts (the model still has them: 1 = told apart) and against holdout texts (it "
        "never saw them: 0.5 = alike). Larger scores = more unlearned."
    )
    table = Table("Measures on texts", columns, [_row(row) for row in made.table])
    return Section("measures", "Measures on texts", "Measures", [Text(intro), table])


def _texts(made: TextAudit, texts: Mapping[str, str]) -> list[Block]:
    """Return three blocks for each text: its id with the answer, how likely it still is, and the text."""
    table = made.audit.scores
    own = table[(table["role"] == "forget") & (table["measure"] == "trace")]
    outcomes = dict(zip(own["id"].astype(str), own["verdict"].astype(str), strict=True))
    blocks: list[Block] = []
    for trace in made.traces[:MOST]:
        text = texts.get(trace["id"])
        if text is None or min(trace["start"], default=-1) < 0:
            continue
        outcome = outcomes.get(trace["id"], "undecided")
        word = RECORD_WORDS[outcome]
        cut = "" if trace["end"][-1] >= len(text.rstrip()) else f"; the first {len(trace['gap'])} tokens"
        blocks += [
            Heading(trace["id"], badge=Badge(outcome, word.word, word.sign)),
            Text(f"{trace['mean']:+.2f} nats a token likelier than to the reference{cut}", "aside"),
            Text([(f"token {kind}" * bool(kind), piece) for kind, piece in _pieces(text, trace)], "text"),
        ]
    return blocks


def _pieces(text: str, trace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the text in order, as (class, piece); neighbours of one class are joined."""
    pieces: list[tuple[str, str]] = []
    at = 0
    for start, end, gap in zip(trace["start"], trace["end"], trace["gap"], strict=True):
        level = sum(abs(gap) >= step for step in STEPS)
        kind = "" if not level else f"{'more' if gap > 0 else 'less'}-{level}"
        if start > at:
            pieces.append(("", text[at:start]))
        if end > max(at, start):
            pieces.append((kind, text[max(at, start) : end]))
            at = end
    joined: list[tuple[str, str]] = []
    for kind, piece in pieces:
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + piece)
        else:
            joined.append((kind, piece))
    return joined


def _row(row: Mapping[Any, Any]) -> list[str | Cell]:
    def cell(other: str) -> str:
        values = [row[f"{part}_{other}"] for part in ("auc", "low", "high")]
        return DASH if is_missing(values[0]) else with_interval(*values)

    if row["reason"]:
        return [row["measure"], Cell(f"{DASH} {row['reason']}", "missing", 2), row["unit"]]
    return [row["measure"], cell("retain"), cell("holdout"), row["unit"]]
