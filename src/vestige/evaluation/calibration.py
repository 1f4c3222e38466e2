"""From scores to p-values in both directions, and to a completeness on one scale.

A null sample is one that the model in the place of `original` saw and the model under audit never did; where
a measure does not look at the original, any sample that the audited model never saw will do.

    p_under = (1 + #{null <= score}) / (1 + #null)    small: more like a fitted sample than never-seen ones are
    p_over  = (1 + #{null >= score}) / (1 + #null)    small: further away than never-seen samples are

Conformal p-values (Vovk et al. 2005): valid for any measure as long as an exactly unlearned sample and the
null samples are exchangeable. False-discovery control over the request is Benjamini and Hochberg's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vestige.errors import InputError
from vestige.measures import MEASURES, measure
from vestige.signals import Signals

Floats = NDArray[np.float64]
ENOUGH = 20  # null samples below which a p-value of 5 % cannot be reached


@dataclass(frozen=True, eq=False)
class Reference:
    """Scores whose truth is known, for one measure.

    null  [n] scores of samples that the model under audit never saw
    kept  [m] scores of samples that it still has
    text  where they come from, in words
    """

    null: Floats
    kept: Floats
    text: str


def reference_scores(
    name: str, signals: Signals, scores: Floats, preset: str, options: Mapping[str, Any]
) -> Reference | str:
    """Return the measure's reference scores, or the sentence that says why there are none."""
    entry = MEASURES[name]
    compares = entry.compares_with_original(signals, entry.resolve(preset, options))
    holdout = scores[signals.roles == "holdout"]
    if not compares and len(holdout) >= ENOUGH:
        kept = scores[signals.roles == "retain"]
        return Reference(holdout, kept, f"{len(holdout):,} holdout samples, which no model saw")
    if signals.calibration is None:
        wanted = "simulated deletions from at least three shadow models"
        also = "" if compares else f", or at least {ENOUGH} holdout samples"
        return f"{name} has nothing to be calibrated by here; it takes {wanted}{also}."
    try:
        known = measure(name, signals.calibration, preset=preset, **options)
    except InputError as error:
        return f"{name} cannot score the simulated deletions: {error}"
    gone, kept = (known[signals.calibration.roles == role] for role in ("forget", "retain"))
    if len(gone) < ENOUGH:
        return f"Only {len(gone)} simulated deletions; at least {ENOUGH} are wanted to calibrate by."
    return Reference(
        gone, kept, f"{len(gone):,} simulated deletions, and {len(kept):,} samples simulated as kept"
    )


def p_values(scores: Floats, null: Floats) -> tuple[Floats, Floats]:
    """Return (p_under, p_over), each [N], in (0, 1]."""
    ordered = np.sort(null)
    below = np.searchsorted(ordered, scores, side="right")
    above = len(null) - np.searchsorted(ordered, scores, side="left")
    return (1 + below) / (1 + len(null)), (1 + above) / (1 + len(null))


def verdicts(scores: Floats, reference: Reference, alpha: float) -> NDArray[np.str_]:
    """Return "under", "over", "unlearned" or "undecided" for each sample of one request.

    Flagged are samples whose p-value passes Benjamini-Hochberg at `alpha` over the request, in each direction
    by itself. Of the others, those that score above a share 1 - alpha of kept samples are "unlearned"; the
    rest cannot be told from either.
    """
    p_under, p_over = p_values(scores, reference.null)
    under, over = (stats.false_discovery_control(p) <= alpha for p in (p_under, p_over))
    unlike_kept = np.zeros(len(scores), bool)
    if len(reference.kept):
        unlike_kept = p_values(scores, reference.kept)[1] <= alpha
    quiet = np.where(unlike_kept, "unlearned", "undecided")
    return np.where(under, "under", np.where(over, "over", quiet))


def completeness(
    scores: Floats, reference: Reference, *, draws: int = 4000, seed: int = 0
) -> tuple[float, float, float] | None:
    """Return the mean completeness of a request and its 95 % interval, or None where the two ends coincide.

    0 = scores like samples that the model still has, 1 = like samples it never saw, above 1 = further away.
    The interval covers sampling of forget, null and kept samples; not the spread between training runs.
    """
    groups = (scores, reference.null, reference.kept)
    if min(map(len, groups)) < 2:
        return None
    rng = np.random.default_rng(seed)
    own, null, kept = (
        np.append(g.mean(), rng.normal(g.mean(), g.std(ddof=1) / np.sqrt(len(g)), draws)) for g in groups
    )
    way = null - kept
    if way[0] <= 0 or np.quantile(way, 0.025) <= 0:
        return None
    share = (own - kept) / way
    low, high = np.quantile(share[1:], [0.025, 0.975])
    return float(share[0]), float(low), float(high)
