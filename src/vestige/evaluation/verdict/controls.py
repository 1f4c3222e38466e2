"""Is the comparison sound, and is it sharp? Checks with known truth, each of which blocks what it guards.

reference   the never-seen records must be comparable with the forgotten ones, and the shadows must have seen
            neither. Where such a control fails, nothing is said, in either direction.
sharpness   a trace that is there must be found. Where such a control fails, nobody is cleared, and nothing is
            called over-unlearned. A trace that was found stands: the permutation keeps its level however blunt
            the audit is, and what makes it blunt pushes away from a trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from vestige.evaluation.verdict.adjustment import TraceScores
from vestige.evaluation.verdict.evidence import Evidence, compare
from vestige.evaluation.verdict.margins import RETAIN, Margins, Mask
from vestige.report.words import plural

PERMUTATIONS = 199
STRICT, SEEN = 0.005, 0.01
FEWEST_SEEN = 20  # forget records from which on the original must be recognised
LEAK = 0.3  # standard deviations by which a shadow may fit the training records better
SOURCES = "never-seen sources agree"
CLASSES_DIFFER, FEW_CLASSES_DIFFER = 0.001, 0.05  # below twenty records p is rarely smaller
Kind = Literal["reference", "sharpness"]


@dataclass(frozen=True)
class Control:
    """A check of the measurement itself.

    Attributes
    ----------
    name : str
        What must hold, in a few words.
    kind : "reference" or "sharpness"
        A failed reference control blocks every verdict, a failed sharpness control the all-clear and "over".
    statement : str
        What was checked, and what came out.
    value : float or None
        The figure; None where the control could not be run, and `reason` says why.
    wanted : str
        What the figure must be.
    passed : bool or None
    reason : str or None
    """

    name: str
    kind: Kind
    statement: str
    value: float | None
    wanted: str
    passed: bool | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.passed is not None:  # a NumPy truth value is not False
            object.__setattr__(self, "passed", bool(self.passed))


def failed(controls: tuple[Control, ...], kind: Kind) -> list[Control]:
    """Return the controls of one kind that were run and did not hold."""
    return [control for control in controls if control.kind == kind and control.passed is False]


def run(
    margins: Margins, evidence: Evidence, seed: np.random.SeedSequence, original: TraceScores | None
) -> tuple[Control, ...]:
    """Return every control of one audit; one that could not be run carries its reason.

    Parameters
    ----------
    original : TraceScores or None
        Trace scores under the original; None where it is not given, or its answers have no spread.
    """
    rng = [np.random.default_rng(child) for child in seed.spawn(5)]
    forget, null = evidence.forget, evidence.null
    return (
        _shadows_unseen(margins, forget, null),
        *_support(margins, evidence),
        _sources(margins, null, rng[0]),
        _placebo(margins, forget, null, rng[1]),
        *_retrained(margins, forget, null, rng[2]),
        _retained(margins, evidence, rng[3]),
        _original(margins, forget, null, rng[4], original),
        *_request_unseen(margins, forget),
    )


def _support(margins: Margins, evidence: Evidence) -> Iterator[Control]:
    matching, n = evidence.matching, int(evidence.forget.sum())
    name, least = "classes are matched", CLASSES_DIFFER if n >= FEWEST_SEEN else FEW_CLASSES_DIFFER
    wanted = f"p > {least:g}, or 10 never-seen records in every class of the request"
    if matching.class_p is None:
        reason = "the classes of a single record are not tested"
        yield Control(name, "reference", "The classes were not compared.", None, "", None, reason)
    else:
        statement = (
            f"The classes of the request are those of the never-seen records with p {matching.class_p:.2g}; "
            f"{matching.unsupported:,} of its records are of classes with fewer than 10 never-seen records."
        )
        sound = matching.class_p > least or not matching.unsupported
        yield Control(name, "reference", statement, matching.class_p, wanted, sound)
    if (margins.size > 1).any():
        yield _sizes(margins, evidence)
    name = "difficulty is matched"
    if matching.difficulty_p is None:
        reason = "below twenty records their difficulty is not tested"
        yield Control(name, "reference", "The difficulty was not compared.", None, "", None, reason)
        return
    b = margins.difficulty
    low, high = b[evidence.null].min(), b[evidence.null].max()
    outside = int(((b[evidence.forget] < low) | (b[evidence.forget] > high)).sum())
    statement = (
        f"For the shadows the request is as difficult as the never-seen records with p {matching.difficulty_p:.2g}; "
        f"{outside:,} of its records lie outside their range, and the matched ones amount to "
        f"{evidence.effective_null:,.0f}."
    )
    sound = evidence.effective_null >= FEWEST_SEEN and outside <= max(2, 0.1 * n)
    wanted = "20 matched records at least, at most 10 % outside"
    yield Control(name, "reference", statement, evidence.effective_null, wanted, sound)


def _sizes(margins: Margins, evidence: Evidence) -> Control:
    """Are never-seen clusters as large as the forgotten ones? The mean of twenty records is steadier than one."""
    alone, n = evidence.matching.alone, int(evidence.forget.sum())
    own, other = (int(margins.size[rows].max()) for rows in (evidence.forget, evidence.null))
    statement = (
        f"{alone:,} of {n:,} clusters of the request are of a size that fewer than 10 never-seen clusters have; the "
        f"largest of the request holds {plural(own, 'record')}, the largest never-seen one {other:,}."
    )
    wanted = "10 never-seen clusters as large as each of the request, within a factor of two"
    return Control("clusters are matched", "reference", statement, float(alone), wanted, not alone)


def _lowest(evidence: Evidence | None) -> float | None:
    """Return the smaller p-value of both directions, None where nothing could be compared."""
    return None if evidence is None else min(evidence.p_under, evidence.p_over)


def _two_sided(name: str, statement: str, p: float | None) -> Control:
    if p is None:
        return Control(name, "reference", statement, None, "", None, "the answers have no spread")
    return Control(name, "reference", f"{statement} p {p:.2g}.", p, f"p > {STRICT:g}", p > STRICT)


def _sources(margins: Margins, null: Mask, rng: np.random.Generator) -> Control:
    name = SOURCES
    sources, counts = np.unique(margins.source[null], return_counts=True)
    if len(sources) < 2 or counts.min() < FEWEST_SEEN:
        reason = (
            "there is one source of never-seen records; that none of them was trained on is an assumption"
        )
        return Control(
            name, "reference", "Never-seen records were not compared with others.", None, "", None, reason
        )
    rare = sources[counts.argmin()]
    ours = null & (margins.source == rare)
    statement = f"Never-seen records of {rare} against the others:"
    return _two_sided(name, statement, _lowest(compare(margins, ours, null & ~ours, rng, PERMUTATIONS)))


def _placebo(margins: Margins, forget: Mask, null: Mask, rng: np.random.Generator) -> Control:
    name = "a shadow in place of the audited model shows nothing"
    if len(margins.shadows) < 2:
        reason = "it takes two shadow models, there is one"
        return Control(name, "reference", "No shadow was audited.", None, "", None, reason)
    swapped = margins.with_(unlearned=margins.shadows[-1], shadows=margins.shadows[:-1])
    statement = "A shadow, which saw neither, tells forgotten from never-seen records with"
    return _two_sided(name, statement, _lowest(compare(swapped, forget, null, rng, PERMUTATIONS)))


def _retrained(margins: Margins, forget: Mask, null: Mask, rng: np.random.Generator) -> Iterator[Control]:
    for number, retrained in enumerate(margins.retrained):
        swapped = margins.with_(unlearned=retrained)
        several = f" {number + 1}" if len(margins.retrained) > 1 else ""
        statement = f"Exactly retrained model{several}, in place of the audited one:"
        p = _lowest(compare(swapped, forget, null, rng, PERMUTATIONS))
        yield _two_sided("exact retraining shows nothing", statement, p)


def _shadows_unseen(margins: Margins, forget: Mask, null: Mask) -> Control:
    """Do the shadows fit the training records of the original better than never-seen ones? Then they saw them."""
    name, b = "shadows fit training records no better", margins.difficulty
    retain = margins.of(RETAIN)
    if retain.sum() < FEWEST_SEEN:
        reason = f"it takes {FEWEST_SEEN} retained records"
        return Control(name, "reference", "The shadows' own fit was not checked.", None, "", None, reason)
    shifts = []
    for trained in (retain, retain | forget):
        shift = (b[trained].mean() - b[null].mean()) / (b[null].std() or 1.0)
        p = stats.ttest_ind(b[trained], b[null], equal_var=False).pvalue if b.std() else 1.0
        shifts.append(shift if p <= 0.001 else 0.0)
    least = float(min(shifts, key=abs))
    statement = (
        f"The shadows fit the training records of the original {least:+.2f} standard deviations better than "
        "never-seen ones; a shadow that saw them would, and so would records of another kind."
    )
    return Control(name, "reference", statement, least, f"within {LEAK:g}", abs(least) <= LEAK)


def _recognised(name: str, statement: str, evidence: Evidence | None) -> Control:
    if evidence is None:
        return Control(name, "sharpness", statement, None, "", False, "the answers have no spread")
    p = evidence.p_under
    return Control(name, "sharpness", f"{statement} p {p:.2g}.", p, f"p <= {SEEN:g}", p <= SEEN)


def _retained(margins: Margins, evidence: Evidence, rng: np.random.Generator) -> Control:
    name, retain = "retained records are recognised", np.flatnonzero(margins.of(RETAIN))
    wanted = max(200, min(int(evidence.forget.sum()), 1000))
    if len(retain) < FEWEST_SEEN:
        reason = f"it takes {FEWEST_SEEN} retained records"
        return Control(name, "sharpness", "Retained records were not checked.", None, "", None, reason)
    rows = np.zeros(len(margins), bool)
    rows[retain[:wanted]] = True
    statement = (
        f"{rows.sum():,} retained records, which the audited model still has, in place of the forgotten ones:"
    )
    retained = compare(margins, rows, evidence.null, rng, PERMUTATIONS, evidence.trace)
    return _recognised(name, statement, retained)


def _original(
    margins: Margins, forget: Mask, null: Mask, rng: np.random.Generator, trace: TraceScores | None
) -> Control:
    name = "the original is recognised"
    if margins.original is None or forget.sum() < FEWEST_SEEN:
        what = "the original's outputs" if margins.original is None else f"{FEWEST_SEEN} forgotten records"
        return Control(name, "sharpness", "The original was not audited.", None, "", None, f"it takes {what}")
    swapped = margins.with_(unlearned=margins.original)
    statement = "The original, which saw the records, in place of the audited model:"
    seen = None if trace is None else compare(swapped, forget, null, rng, PERMUTATIONS, trace)
    return _recognised(name, statement, seen)


def _request_unseen(margins: Margins, forget: Mask) -> Iterator[Control]:
    """Do shadows fit the request better than kept records? They saw it, or it is easy: the original would tell."""
    retain, b = margins.of(RETAIN), margins.difficulty
    if margins.original is not None or min(forget.sum(), retain.sum()) < FEWEST_SEEN:
        return
    shift = float((b[forget].mean() - b[retain].mean()) / (b[retain].std() or 1.0))
    p = float(stats.ttest_ind(b[forget], b[retain], equal_var=False).pvalue) if b.std() else 1.0
    statement = (
        f"The shadows fit the request {shift:+.2f} standard deviations better than kept records (p {p:.2g}); shadows "
        "that saw it would, and so would an easy request. The original's outputs would tell these apart."
    )
    sound = shift <= LEAK or p > 0.001
    name = "shadows fit the request no better than kept records"
    yield Control(name, "sharpness", statement, shift, f"at most {LEAK:g}, or p > 0.001", sound)
