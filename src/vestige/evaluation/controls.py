"""Is the ruler sound? Checks with known truth, run before a verdict is given.

A negative control asks whether samples without a trace are left alone; where it fails, no verdict is given.
A positive control asks whether samples with a trace are seen; where it fails, nothing is cleared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation.calibration import Reference, p_values, reference_scores
from vestige.evaluation.result import Control, MeasureRun
from vestige.measures import measure
from vestige.signals import Signals

Floats = NDArray[np.float64]


def run(
    made: MeasureRun, signals: Signals, scores: Floats, reference: Reference | str, alpha: float
) -> list[Control]:
    """Return the controls of one measure; those that could not be run carry their reason."""
    name = made.label
    if isinstance(reference, str):
        return [
            Control("negative", name, "Samples without a trace were not checked.", None, "", None, reference),
            Control("positive", name, "Samples with a trace were not checked.", None, "", None, reference),
        ]
    return [
        _null_halves(name, reference, alpha),
        *_retrained(made, signals, alpha),
        _retained(name, signals, scores, reference, alpha),
        *_untouched(made, signals, alpha),
    ]


def failed(checks: list[Control], name: str) -> list[Control]:
    """Return the controls of one kind that were run and did not hold."""
    return [check for check in checks if check.name == name and check.passed is False]


def _flagged(scores: Floats, null: Floats, alpha: float) -> float:
    return float((p_values(scores, null)[0] <= alpha).mean())


def _at_most(rate: float, n: int, factor: float = 1.0) -> float:
    """Return the largest share of n that is still compatible with `factor` times the promised rate."""
    promised = factor * rate
    return promised + 3 * float(np.sqrt(promised * (1 - promised) / n))


def _null_halves(name: str, reference: Reference, alpha: float) -> Control:
    """One half of the null samples judged by the other: simulated deletions of one half come from other models."""
    half = len(reference.null) // 2
    first, second = reference.null[:half], reference.null[half:]
    share = (_flagged(first, second, alpha) * len(first) + _flagged(second, first, alpha) * len(second)) / (
        2 * half
    )
    bound = _at_most(alpha, len(reference.null))
    statement = (
        f"Of samples that the audited model never saw ({reference.text}), {share:.1%} are flagged as under."
    )
    return Control("negative", name, statement, share, f"at most {bound:.1%}", share <= bound)


def _retrained(made: MeasureRun, signals: Signals, alpha: float) -> list[Control]:
    """Audit exact retrains in place of the unlearned model: their forget samples are unlearned for certain."""
    if signals.retrained is None:
        return []
    forget = signals.roles == "forget"
    shares = []
    for logits in signals.retrained:
        found = _audited_as(made, signals, logits)
        if isinstance(found, str):
            statement = "Exactly retrained models were not checked."
            return [Control("negative", made.label, statement, None, "", None, found)]
        scores, reference = found
        shares.append(_flagged(scores[forget], reference.null, alpha))
    share, bound = float(np.mean(shares)), _at_most(alpha, int(forget.sum()), factor=2.0)
    statement = f"In exactly retrained models, {share:.1%} of the forget samples are flagged as under."
    return [Control("negative", made.label, statement, share, f"at most {bound:.1%}", share <= bound)]


def _retained(name: str, signals: Signals, scores: Floats, reference: Reference, alpha: float) -> Control:
    kept = scores[signals.roles == "retain"]
    if not len(kept):
        reason = "there are no samples with the role 'retain'"
        return Control("positive", name, "Retained samples were not checked.", None, "", None, reason)
    share = _flagged(kept, reference.null, alpha)
    statement = f"Of the retained samples, which the audited model still has, {share:.1%} are recognised."
    return Control("positive", name, statement, share, f"at least {2 * alpha:.0%}", share >= 2 * alpha)


def _untouched(made: MeasureRun, signals: Signals, alpha: float) -> list[Control]:
    """Audit the original in place of the unlearned model: nothing was unlearned, and it must show."""
    if signals.original is None:
        return []
    found = _audited_as(made, signals, signals.original)
    statement = "The original model, in place of the unlearned one, was not checked."
    if isinstance(found, str):
        return [Control("positive", made.label, statement, None, "", None, found)]
    scores, reference = found
    share = _flagged(scores[signals.roles == "forget"], reference.null, alpha)
    statement = f"With the original in place of the unlearned model, {share:.1%} of the forget samples are recognised."
    return [
        Control("positive", made.label, statement, share, f"at least {2 * alpha:.0%}", share >= 2 * alpha)
    ]


def _audited_as(
    made: MeasureRun,
    signals: Signals,
    logits: NDArray[np.floating[Any]],
) -> tuple[Floats, Reference] | str:
    """Score the same samples with other logits in the place of the unlearned model's."""
    swapped = signals.with_(unlearned=logits)
    try:
        scores = measure(made.measure, swapped, preset=made.preset, **made.options)
    except InputError as error:
        return str(error)
    reference = reference_scores(made.measure, swapped, scores, made.preset, made.options)
    return reference if isinstance(reference, str) else (scores, reference)
