"""The report of texts: the verdict, every measure on texts, and where in a text the trace sits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige.files import as_path
from vestige.report.html import configuration, page
from vestige.report.words import DASH, RECORD_WORDS, is_missing, number, plural, with_interval

if TYPE_CHECKING:
    from vestige.evaluation.texts import TextAudit

MOST = 20
STEPS = (0.5, 1.0, 2.0, 4.0)  # nats from which on a token is shaded, level by level
GLOSSARY = (
    (
        "Loss",
        "Minus the mean log-probability of a text's tokens, in nats; larger = the model finds it less likely.",
    ),
    ("Reference", "A model that never saw the texts: what a text's difficulty is measured against."),
    ("Trace", "How much likelier a token is to the unlearned model than to the reference, in nats."),
    ("Retained, holdout", "Texts that the model was trained on and still has; texts that it never saw."),
)


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

    texts  {id: text} of the forget texts, to show them
    words  AUC of telling forget from holdout texts by their words alone; a high one is warned of
    """
    from vestige.report.sections import card
    from vestige.store import write_text

    verdict = made.audit.verdict
    path = as_path(path)
    warning = ""
    if words is not None and abs(words - 0.5) > 0.2:
        warning = (
            f"Forget and holdout texts can be told apart by their words alone (AUC {number(words, 3)}): figures "
            "between these groups speak of the texts as much as of the model."
        )
    content = page(
        "texts.html.jinja",
        title=title or f"Texts: {made.audit.name}",
        script="",
        facts=[plural(sum(verdict.counts.values()), "forget text")],
        card=card(made.audit.name, made.audit),
        warning=warning,
        texts=_texts(made, texts),
        rows=[_row(row) for row in made.table],
        limits=list(made.audit.limits),
        glossary=GLOSSARY,
        **configuration(manifest or {}),
    )
    write_text(path, content)
    return path


def _texts(made: TextAudit, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    table = made.audit.scores
    own = table[(table["role"] == "forget") & (table["measure"] == "trace")]
    given = dict(zip(own["id"].astype(str), own["verdict"].astype(str), strict=True))
    shown = []
    for trace in made.traces[:MOST]:
        text = texts.get(trace["id"])
        if text is None or min(trace["start"], default=-1) < 0:
            continue
        outcome = RECORD_WORDS[given.get(trace["id"], "undecided")]
        whole = trace["end"][-1] >= len(text.rstrip())
        shown.append({
            "id": trace["id"], "outcome": given.get(trace["id"], "undecided"), "word": outcome.word,
            "sign": outcome.sign, "gap": f"{trace['mean']:+.2f}", "pieces": _pieces(text, trace),
            "cut": None if whole else len(trace["gap"]),
        })  # fmt: skip
    return shown


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


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    def cell(other: str) -> str:
        values = [row[f"{part}_{other}"] for part in ("auc", "low", "high")]
        return DASH if is_missing(values[0]) else with_interval(*values)

    reason = row["reason"]
    return {
        "measure": row["measure"], "unit": row["unit"], "reason": reason, "retain": cell("retain"),
        "holdout": cell("holdout"),
    }  # fmt: skip
