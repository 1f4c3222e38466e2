"""Numbers and outcomes as the reader sees them. A missing value is a dash, never NaN or None."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

DASH = "–"
DIRECTION = "larger = more unlearned"


class Word(NamedTuple):
    """How an outcome is written: a word, a sign (so that colour is never alone), and what it means."""

    word: str
    sign: str
    meaning: str


OUTCOME_WORDS: dict[str, Word] = {
    "unlearned": Word("Unlearned", "✓", "like a model that never saw it"),
    "under": Word("Under-unlearned", "▼", "a trace remains"),
    "over": Word("Over-unlearned", "▲", "damaged beyond what a model that never saw it would show"),
    "undecided": Word("Undecided", "?", "the evidence does not allow an answer"),
}
RECORD_WORDS: dict[str, Word] = {
    "cleared": Word("Cleared", "✓", "unlike the records that the model still has"),
    "under": Word("Flagged as under", "▼", "a trace remains in this record"),
    "over": Word("Flagged as over", "▲", "further away than never-seen records are"),
    "undecided": Word("Undecided", "?", "could be either"),
}


def is_missing(value: object) -> bool:
    """Is it None, NaN, pandas' missing value, or an infinity?"""
    if value is None:
        return True
    try:
        return not math.isfinite(value)  # type: ignore[arg-type]
    except TypeError:
        return type(value).__name__ in ("NAType", "NaTType")


def number(value: Any, digits: int = 4) -> str:
    """Return `value` with `digits` significant digits, whole numbers with thousands separators."""
    if is_missing(value):
        return DASH
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    text = f"{float(value):.{digits}g}"
    if (
        1000 <= abs(float(text)) < 1e15
    ):  # as whole numbers are written, also where one is computed as 999.9998
        return f"{round(float(text)):,}"
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if exponent else text


def rounded(value: Any, digits: int = 4) -> float | None:
    """Return `value` rounded to `digits` significant digits, None where it is missing."""
    return None if is_missing(value) else float(f"{float(value):.{digits}g}")


def with_interval(value: Any, low: Any, high: Any) -> str:
    """Return "0.873 [0.809, 0.924]", to the second digit of half the interval's width; no interval, no brackets."""
    if is_missing(value) or is_missing(low) or is_missing(high):
        return number(value, 3)
    three = [float(v) for v in (value, low, high)]
    half = (three[2] - three[1]) / 2
    if not half >= 5e-4:
        return f"{number(value, 3)} [{number(low, 3)}, {number(high, 3)}]"
    places = min(max(1 - math.floor(math.log10(half)), 0), 3)
    shown, lower, upper = (f"{round(v, places) + 0.0:,.{places}f}" for v in three)
    return f"{shown} [{lower}, {upper}]"


def fixed(value: float | None, low: float | None = None, high: float | None = None, digits: int = 3) -> str:
    """Return a value with `digits` decimals, "0.873", and its interval where there is one: "0.873 [0.809, 0.924]"."""
    shown = [DASH if is_missing(v) else f"{v:.{digits}f}" for v in (value, low, high)]
    return shown[0] if low is None and high is None else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def percent(share: float) -> str:
    """Return a share in percent, with one decimal below ten: "12 %", "7.5 %"."""
    value = 100 * share
    text = f"{value:.0f}" if abs(value) >= 9.95 or value == round(value) else f"{value:.1f}"
    return f"{'0' if text in ('-0.0', '0.0', '-0') else text} %"


def completeness_words(value: Any, low: Any, high: Any) -> str:
    """Return a completeness with its interval, "0.95 [0.90, 1.00]", or "0.95 (not bounded)" where it has none."""
    text = with_interval(value, low, high)
    return text if is_missing(value) or not (is_missing(low) or is_missing(high)) else f"{text} (not bounded)"


def range_words(low: float | None, high: float | None) -> str:
    """Return the range of a figure: "0 to 1", "from 0", "unbounded"."""
    if low is None and high is None:
        return "unbounded"
    if high is None:
        return f"from {number(low)}"
    return f"up to {number(high)}" if low is None else f"{number(low)} to {number(high)}"


def seconds(value: Any) -> str:
    """Return a duration: "0.12 s", "3 min 20 s"."""
    if is_missing(value):
        return DASH
    if value < 60:
        return f"{number(value, 2)}\u00a0s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,}\u00a0min" + (f" {rest}\u00a0s" if rest else "")


def plural(count: int, noun: str) -> str:
    """Return "1 sample", "2,000 samples"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def unbroken(text: str) -> str:
    """Return `text` with the spaces of "5 %" and "(p 0.05)" made such that no line breaks there."""
    return re.sub(r"(?<=\d) (?=%)|(?<=\(p) (?=\d)", "\u00a0", text)


def plain_text(value: Any) -> str:
    """Return one configuration value as text: "not set", "yes", "1, 2, 3"."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain_text, value)) or "empty"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {plain_text(item)}" for key, item in value.items()) or "empty"
    if isinstance(value, float):
        return "not a number" if not math.isfinite(value) else f"{value:.6g}"
    return str(value)


def flattened(tree: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested configuration as (dotted name, text) pairs, in the order given."""
    if isinstance(tree, Mapping) and tree:
        pairs = [flattened(item, f"{prefix}.{key}" if prefix else str(key)) for key, item in tree.items()]
        return [pair for group in pairs for pair in group]
    if isinstance(tree, (list, tuple)) and any(isinstance(item, Mapping) for item in tree):
        return [pair for i, item in enumerate(tree) for pair in flattened(item, f"{prefix}[{i}]")]
    return [(prefix or "value", plain_text(tree))]
