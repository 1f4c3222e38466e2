"""Audited methods side by side, as text; each heading says how to read its column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from vestige.report.words import (
    DASH,
    OUTCOME_WORDS,
    completeness_words,
    is_missing,
    number,
    percent,
    with_interval,
)

if TYPE_CHECKING:
    from vestige.evaluation.result import Audit, Metric
    from vestige.evaluation.verdict import Control, Verdict


class Ran(Protocol):
    """A requested measure, as a card reads it."""

    @property
    def measure(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def status(self) -> str: ...


class Judged(Protocol):
    """What a card reads of an audit, or of a signed statement on one."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def controls(self) -> Sequence[Control]: ...
    @property
    def measures(self) -> Sequence[Ran]: ...


COMPARISON = "closer to retrain"

# Header, names under which the figure of the model may appear in `Audit.figures`, first found wins.
MODEL_FIGURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"UA ({COMPARISON})", ("unlearning_accuracy", "ua")),
    (f"RA ({COMPARISON})", ("retain_accuracy", "remaining_accuracy", "ra")),
    (f"TA ({COMPARISON})", ("test_accuracy", "holdout_accuracy", "ta")),
    (f"MIA ({COMPARISON})", ("mia_efficacy", "mia")),
    ("Average disparity ↓", ("average_disparity", "disparity")),
)


def compare(audits: Mapping[str, Audit]) -> pd.DataFrame:
    """Return the audited methods side by side, one row per method, as text.

    Every header says how to read its column: an arrow, the value wanted, or "closer to retrain". A cell that
    could not be filled is a dash with its reason. Figures of the model itself (UA, RA, TA, MIA, average
    disparity) are there where at least one audit holds them, with retraining's beside them where it has no row.
    """
    kept = [
        (header, names)
        for header, names in MODEL_FIGURES
        if any(_figure(audit, names) is not None for audit in audits.values())
    ]
    rows = []
    for name, audit in audits.items():
        row = {
            "Method": name,
            "Verdict (wanted: unlearned)": outcome_word(audit),
            "Completeness (closer to 1)": _completeness(audit),
            "Left at most ↓": left_at_most(audit),
            "Could be untouched unseen ↓": could_be_untouched(audit),
            "Cleared ↑": _count(audit, "cleared"),
            "Flagged under ↓": _count(audit, "under"),
            "Flagged over ↓": _count(audit, "over"),
        }
        row |= {
            header: _cell(_figure(audit, names), beside="retrain" not in audits) for header, names in kept
        }
        ranked = ranking_measure(audit)
        row[f"AUC, forget against retain ({COMPARISON})"] = (
            f"{DASH} (no measure has scores)"
            if ranked is None
            else f"{_cell(auc_of(audit, ranked))} ({ranked})"
        )
        rows.append(row)
    return pd.DataFrame(rows)


def outcome_word(audit: Judged) -> str:
    """Return the outcome of the request as a word, and whether a control forbade an answer."""
    verdict = audit.verdict
    return OUTCOME_WORDS[verdict.outcome].word + (", blocked" if verdict.blocked_by else "")


def ranking_measure(audit: Audit) -> str | None:
    """Return the label of the first measure that has scores: the one whose figures are shown first."""
    return next(
        (run.label for run in audit.measures if run.status == "scored" and run.measure != "trace"), None
    )


def blocking_controls(audit: Audit) -> list[Control]:
    """Return the failed controls that forbade the verdict."""
    return [c for c in audit.controls if c.passed is False and c.name in audit.verdict.blocked_by]


def auc_of(audit: Audit, label: str) -> Metric | None:
    """Return the AUC of a measure, by its label in the audit."""
    return audit.metric(label, "auc")


def _figure(audit: Audit, names: tuple[str, ...]) -> Metric | None:
    return next((found for name in names if (found := audit.metric("model", name)) is not None), None)


def _cell(metric: Metric | None, *, beside: bool = False) -> str:
    if metric is None:
        return f"{DASH} (not computed)"
    if is_missing(metric.value):
        return f"{DASH} ({metric.reason or 'no reason given'})"
    unit = " %" if metric.range == (0.0, 100.0) else ""
    text = with_interval(metric.value, metric.low, metric.high) + unit
    if not beside or metric.name == "average_disparity" or is_missing(metric.reference):
        return text
    return f"{text} (retrain: {number(metric.reference, 3)}{unit})"


def _completeness(audit: Audit) -> str:
    verdict = audit.verdict
    if is_missing(verdict.completeness):
        return _withheld(audit)
    return completeness_words(verdict.completeness, verdict.low, verdict.high)


def _withheld(audit: Judged) -> str:
    return f"{DASH} (a control failed)" if audit.verdict.blocked_by else f"{DASH} (the data do not bound it)"


def left_at_most(audit: Judged) -> str:
    """Return how much of the influence can be left, and how much may be; or why that is not said."""
    most = audit.verdict.left_at_most
    return (
        _withheld(audit) if most is None else f"{percent(most)} ({100 * audit.verdict.tolerance:g} % allowed)"
    )


def could_be_untouched(audit: Judged) -> str:
    """Return how many records could be untouched unseen, and how many may be; or why that is not said."""
    verdict = audit.verdict
    if verdict.could_be_whole is None:
        return _withheld(audit)
    return f"{verdict.could_be_whole:,} of {verdict.n:,} ({verdict.allowed:,} allowed)"


def _count(audit: Audit, outcome: str) -> str:
    return f"{audit.verdict.counts[outcome]:,} of {sum(audit.verdict.counts.values()):,}"
