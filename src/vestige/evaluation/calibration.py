"""From a measure's scores to p-values in both directions.

A null sample is one that the model in the place of `original` saw and the model under audit never did; where
a measure does not look at the original, any sample that the audited model never saw will do. Which null is taken
depends on what there is, not on what it says: holdout samples for measures that do not look at the original; else
simulated deletions, which take three shadow models; else, with one or two, the shadows' own training records, with the
roles of original and shadow exchanged (docs/calibration.md).

    p_under = (1 + #{null <= score}) / (1 + #null)    small: more like a fitted sample than never-seen ones are
    p_over  = (1 + #{null >= score}) / (1 + #null)    small: further away than never-seen samples are

Conformal p-values (Vovk et al. 2005): valid for any measure as long as an exactly unlearned sample and the
null samples are exchangeable. They rank the samples of one measure. The verdict does not rest on them: simulated
deletions come from other models than the audited one, whose scale and offset differ from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.measures import MEASURES
from vestige.signals import Signals

Floats = NDArray[np.float64]
MOST_FOREIGN = 0.01  # share of forget samples whose class the null may lack
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
    name: str, signals: Signals, scores: Floats, options: Mapping[str, Any]
) -> Reference | str:
    """Return the measure's reference scores, or the sentence that says why there are none."""
    entry = MEASURES[name]
    compares = entry.compares_with_original(signals, options)
    holdout = scores[signals.roles == "holdout"]
    if not compares and len(holdout) >= ENOUGH:
        kept = scores[signals.roles == "retain"]
        return Reference(holdout, kept, f"{len(holdout):,} holdout samples, which no model saw")
    if signals.calibration is None:
        if signals.shadow_train is not None:
            return _exchanged(name, signals, scores, options)
        wanted = (
            "the shadow models' own training records (`shadow_train`), or simulated deletions from at least three of "
            "them"
        )
        also = "" if compares else f", or at least {ENOUGH} holdout samples"
        return f"{name} has nothing to be calibrated by here; it takes {wanted}{also}."
    try:
        known = entry.score(signals.calibration, options)
    except InputError as error:
        return f"{name} cannot score the simulated deletions: {error}"
    gone, kept = (known[signals.calibration.roles == role] for role in ("forget", "retain"))
    if len(gone) < ENOUGH:
        return f"Only {len(gone)} simulated deletions; at least {ENOUGH} are wanted to calibrate by."
    return Reference(
        gone, kept, f"{len(gone):,} simulated deletions, and {len(kept):,} samples simulated as kept"
    )


def _exchanged(
    name: str, signals: Signals, scores: Floats, options: Mapping[str, Any]
) -> Reference | str:
    """Return the scores of the shadows' training records, with the roles of original and shadow exchanged."""
    known = signals.shadow_train
    assert known is not None
    if len(known) < ENOUGH:
        return (
            f"Only {len(known)} training records of the shadow models are at hand; at least {ENOUGH} are wanted to "
            "calibrate by."
        )
    one, other = signals.labels, known.labels
    if signals.group is not None and known.group is not None:
        one, other = signals.group, known.group
    foreign = ~np.isin(one[signals.roles == "forget"], other)
    if foreign.mean() > MOST_FOREIGN:
        return (
            f"{int(foreign.sum())} of {len(foreign)} forget samples are of classes that no training record of the shadow "
            f"models has; {name} is not calibrated for them."
        )
    try:
        null = MEASURES[name].score(known, options)
    except InputError as error:
        return f"{name} cannot score the shadows' training records: {error}"
    text = f"{len(known):,} training records of the shadow models, with the roles of original and shadow exchanged"
    return Reference(null, scores[signals.roles == "retain"], text)


def p_values(scores: Floats, null: Floats) -> tuple[Floats, Floats]:
    """Return (p_under, p_over), each [N], in (0, 1]."""
    ordered = np.sort(null)
    below = np.searchsorted(ordered, scores, side="right")
    above = len(null) - np.searchsorted(ordered, scores, side="left")
    return (1 + below) / (1 + len(null)), (1 + above) / (1 + len(null))
