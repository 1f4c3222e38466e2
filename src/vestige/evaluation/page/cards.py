"""The verdict card of an audit: the answer, what it rests on, and what could have been left unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vestige.evaluation.page.comparison import Judged, could_be_untouched, left_at_most, outcome_word
from vestige.evaluation.verdict.answer import OUTCOMES, RECORD_OUTCOMES
from vestige.report.blocks import Badge, Card
from vestige.report.words import (
    DASH,
    OUTCOME_WORDS,
    RECORD_WORDS,
    completeness_words,
    is_missing,
    listed,
    plural,
    unbroken,
)

if TYPE_CHECKING:
    from vestige.evaluation.result import Audit

FEW = 3
"""Methods of one outcome that the first sentence names."""
WITHHELD = "The completeness is withheld: it rests on the measurement that failed."
NO_COMPLETENESS = "No completeness: this audit has none to show; the limits say what is missing."


def card(name: str, audit: Judged, warnings: tuple[str, ...] = (), label: str = "Verdict") -> Card:
    """Return the verdict card of one method; `warnings` come after those of the audit."""
    verdict = audit.verdict
    total = sum(verdict.counts.values())
    counts = [
        (
            key, RECORD_WORDS[key].word, RECORD_WORDS[key].sign, f"{verdict.counts[key]:,}",
            round(100 * verdict.counts[key] / total, 2),
        )
        for key in RECORD_OUTCOMES
        if total
    ]  # fmt: skip
    return Card(
        badge_of(audit), unbroken(verdict.sentence), label, name,
        reasons=[verdict.advice] if verdict.advice else [],
        asides=[verdict.sharpness] if verdict.sharpness else [],
        bar=completeness_bar(audit) or (WITHHELD if verdict.blocked_by else NO_COMPLETENESS),
        bounds=bounds(audit), counts=counts, basis=" ".join(filter(None, [_basis(audit), failed_sentence(audit)])),
        warnings=[*_control_warnings(audit), *warnings],
    )  # fmt: skip


def badge_of(audit: Judged) -> Badge:
    """Return the outcome of the request as a badge."""
    return Badge(audit.verdict.outcome, outcome_word(audit), OUTCOME_WORDS[audit.verdict.outcome].sign)


def bounds(audit: Judged) -> list[tuple[str, str]]:
    """Return what could be left unseen, as (term, text); nothing where none of it is known.

    How many records could be untouched is a limit of what was not found: beside a trace or damage it says nothing.
    """
    terms = [("Left at most", left_at_most(audit))]
    if audit.verdict.outcome in ("unlearned", "undecided"):
        terms.append(("Could be untouched unseen", could_be_untouched(audit)))
    return [] if all(text.startswith(DASH) for _, text in terms) else terms


def overview(audits: Mapping[str, Audit]) -> str:
    """Return one sentence over all methods: how many have which outcome, by name where they are few."""
    found: dict[str, list[str]] = {}
    for name, audit in audits.items():
        found.setdefault(audit.verdict.outcome, []).append(name)
    parts = []
    for key in OUTCOMES:
        names = found.get(key, [])
        word = OUTCOME_WORDS[key].word.lower()
        if names:
            parts.append(f"{len(names)} {word}" + (f" ({', '.join(names)})" if len(names) <= FEW else ""))
    return f"{plural(len(audits), 'method')} audited: {listed(parts)}."


def completeness_bar(audit: Judged) -> dict[str, Any] | None:
    """Return positions in percent on a scale from below 0 to above 1; None where there is no completeness."""
    verdict = audit.verdict
    if verdict.completeness is None or is_missing(verdict.completeness):
        return None
    ends = [verdict.completeness, *(end for end in (verdict.low, verdict.high) if end is not None)]
    low, high = max(-1.0, min(-0.1, *ends)), min(2.5, max(1.8, *ends))

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 2)

    bar: dict[str, Any] = {
        "text": completeness_words(verdict.completeness, verdict.low, verdict.high),
        "value": place(verdict.completeness),
        "zero": place(0.0),
        "one": place(1.0),
        "beyond": verdict.completeness < low or verdict.completeness > high,
        "interval": None,
    }
    if verdict.low is not None and verdict.high is not None:
        start, end = place(verdict.low), place(verdict.high)
        bar["interval"] = {"start": start, "width": round(max(end - start, 0.6), 2)}
    return bar


def failed_sentence(audit: Judged) -> str:
    """Return which requested measures have no scores, or nothing; what the verdict lacks is in its own sentence."""
    failed = [run.label for run in audit.measures if run.status == "failed" and run.measure != "trace"]
    return f"Could not be computed: {listed(failed)}; the reasons are under Measures." if failed else ""


def _basis(audit: Judged) -> str:
    verdict = audit.verdict
    if verdict.p_under is None:
        return ""
    null = plural(verdict.null, f"never-seen {verdict.unit}")
    amount = verdict.effective_null
    matched = "" if amount is None or amount > verdict.null - 0.5 else f" ({amount:,.0f} when matched)"
    return (
        f"{plural(verdict.n, verdict.unit)} of the request, {null}{matched}, {verdict.kept:,} kept. Each claim has an "
        f"error rate of {100 * verdict.alpha:g} %, half of it in each direction."
    )


def _control_warnings(audit: Judged) -> list[str]:
    """Return sentences on controls that failed without blocking the verdict, and on controls that were not run."""
    warnings = []
    blunt = any(c.passed is False and c.kind == "sharpness" for c in audit.controls)
    if blunt and not audit.verdict.blocked_by:
        warnings.append(
            "A control of the sharpness failed: what is flagged stands, but a sample that is not flagged is not "
            "cleared."
        )
    if not any(control.passed is not None for control in audit.controls):
        warnings.append("No control was run, so the measurement itself is untested.")
    return warnings
