"""What a notebook shows of a record or an answer: a small card, readable on light and on dark paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

TONES = {"unlearned": "#1f9d6e", "under": "#d9622b", "over": "#a06cc4", "undecided": "#80888f"}
"""The colour at a card's edge, which can be seen on white and on black."""
MOST = 12


def notebook_card(
    title: str,
    tone: str = "",
    sentence: str = "",
    facts: Sequence[tuple[str, str]] = (),
    lists: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a card as HTML; all text is escaped, and colours are those of the page it stands in.

    Parameters
    ----------
    tone : str
        An outcome, which is shown beside the title and as the colour of the edge; "" where there is none.
    facts : Sequence[tuple[str, str]]
        A table of two columns.
    lists : Mapping[str, Sequence[str]] or None
        More to unfold, by heading; at most 12 lines each.
    """
    edge = TONES.get(tone, TONES["undecided"])
    word = f' <span style="font-weight:normal;opacity:.8">{escape(tone)}</span>' if tone else ""
    said = f'<div style="margin:.3em 0">{escape(sentence)}</div>' if sentence else ""
    rows = "".join(
        f'<tr style="background:none"><th style="text-align:left;padding:.1em 1em .1em 0;font-weight:normal">'
        f'{escape(name)}</th><td style="text-align:left;padding:.1em 0">{escape(text)}</td></tr>'
        for name, text in facts
    )
    table = (
        f'<table style="border-collapse:collapse;margin:.3em 0;color:inherit">{rows}</table>' if rows else ""
    )
    more = "".join(_unfolded(heading, lines) for heading, lines in (lists or {}).items() if lines)
    return (
        f'<div style="border:1px solid rgba(128,128,128,.45);border-left:.35em solid {edge};border-radius:.3em;'
        f'padding:.6em .9em;max-width:52em;color:inherit"><div><strong>{escape(title)}</strong>{word}</div>'
        f"{said}{table}{more}</div>"
    )


def _unfolded(heading: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines[:MOST])
    rest = f"<li>and {len(lines) - MOST:,} more</li>" if len(lines) > MOST else ""
    return f"<details><summary>{escape(heading)} ({len(lines):,})</summary><ul>{items}{rest}</ul></details>"
