"""From a measure's scores to p-values in both directions.

A null sample is one that the model in the place of `original` saw and the model under audit never did; where a measure
does not look at the original, any sample that the audited model never saw will do. Which null is taken depends on what
there is, not on what it says:

    holdout samples, for measures that do not look at the original;
    holdout samples, with what the original would have said of them had it been trained on them (`counterfactual`);
    simulated deletions (`calibration`), which take three shadow models, where there are few holdout samples;
    the shadows' own training records, with the roles of original and shadow exchanged (`shadow_train`).

docs/labbook/calibration.md holds how often each accuses falsely, measured on exact retrains, and why this is the order.

    p_under = (1 + #{null <= score}) / (1 + #null)    small: more like a fitted sample than never-seen ones are
    p_over  = (1 + #{null >= score}) / (1 + #null)    small: further away than never-seen samples are

Conformal p-values (Vovk et al. 2005): valid for any measure as long as an exactly unlearned sample and the null samples
are exchangeable. Those by holdout samples are taken within strata, where the request holds other classes, or harder or
easier samples, than they do (Mondrian). They rank the samples of one measure. The verdict does not rest
on them: simulated deletions come from other models than the audited one, whose scale and offset differ from run to
run, and the others are not exact enough for a claim about a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation.verdict.margins import margins_of
from vestige.evaluation.verdict.matching import match
from vestige.measures import MEASURES
from vestige.signals import Signals
from vestige.signals.counterfactual import counterfactual_deletions

Floats = NDArray[np.float64]
Strata = NDArray[np.int64]
MOST_FOREIGN = 0.01  # share of forget samples whose class the null may lack
ENOUGH = 20  # null samples below which a p-value of 5 % cannot be reached


@dataclass(frozen=True, eq=False)
class Reference:
    """Scores whose truth is known, for one measure.

    Attributes
    ----------
    null : float [n]
        Scores of samples that the model under audit never saw.
    kept : float [m]
        Scores of samples that it still has.
    text : str
        Where they come from, in words.
    strata : pair of int64 arrays, or None
        Of the audited samples [N] and of the null [n]; a sample is compared within its own. None: with all.
    """

    null: Floats
    kept: Floats
    text: str
    strata: tuple[Strata, Strata] | None = None

    def p_values(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return (p_under, p_over) of the audited samples, each [N]; 1 where nothing is comparable."""
        if self.strata is None:
            return p_values(scores, self.null)
        under, over = np.ones(len(scores)), np.ones(len(scores))
        own, other = self.strata
        for stratum in np.unique(own[own >= 0]):
            rows = own == stratum
            under[rows], over[rows] = p_values(scores[rows], self.null[other == stratum])
        return under, over


@dataclass(frozen=True, eq=False)
class Deletions:
    """Exact deletions that measures which compare with the original are calibrated by.

    Attributes
    ----------
    signals : Signals
        With role "forget" for them, and "retain" for samples that were kept, where there are some.
    kind : str
        "simulated", "counterfactual" or "exchanged".
    strata : pair of int64 arrays, or None
        As of `Reference`.
    """

    signals: Signals
    kind: str
    strata: tuple[Strata, Strata] | None = None


def deletions_of(signals: Signals) -> Deletions | str:
    """Return the exact deletions that there are, or the sentence that says why there are none."""
    counts = [int((signals.roles == role).sum()) for role in ("holdout", "retain")]
    if signals.original is not None and signals.shadows and min(counts) >= ENOUGH:
        strata = strata_of(signals)
        return Deletions(counterfactual_deletions(signals), "counterfactual", strata)
    if signals.calibration is not None:
        return Deletions(signals.calibration, "simulated")
    if signals.shadow_train is not None:
        return _exchanged(signals, signals.shadow_train)
    return (
        f"at least {ENOUGH} holdout and {ENOUGH} retained samples beside `original` and a shadow model, the shadow "
        "models' own training records (`shadow_train`), or simulated deletions from at least three of them"
    )


@dataclass(frozen=True, eq=False)
class Nulls:
    """What the measures of one record of signals are calibrated by.

    Attributes
    ----------
    deletions : Deletions or str
        As `deletions_of` returns them.
    strata : pair of int64 arrays, or None
        As `strata_of` does.
    """

    deletions: Deletions | str
    strata: tuple[Strata, Strata] | None


def nulls_of(signals: Signals, deletions: Deletions | str | None = None) -> Nulls:
    """Return what all measures are calibrated by, looked for once; `deletions` in place of those that there are."""
    deletions = deletions_of(signals) if deletions is None else deletions
    if isinstance(deletions, Deletions) and deletions.kind == "counterfactual":
        return Nulls(deletions, deletions.strata)
    return Nulls(deletions, strata_of(signals))


def strata_of(signals: Signals) -> tuple[Strata, Strata] | None:
    """Return strata of class and difficulty where the request differs from the holdout samples, as the verdict's."""
    if not signals.shadows or not {"forget", "holdout"} <= set(signals.roles):
        return None
    margins, order = margins_of(signals)
    forget, null = margins.of("forget"), margins.of("holdout")
    matching = match(margins, forget, null, np.random.default_rng(0))
    strata = np.empty(len(order), np.int64)
    strata[order] = matching.strata[0]
    if not matching.differs:
        return None
    return strata, strata[signals.roles == "holdout"]


def _exchanged(signals: Signals, known: Signals) -> Deletions | str:
    if len(known) < ENOUGH:
        return f"at least {ENOUGH} training records of the shadow models; there are {len(known)}"
    one: NDArray[Any] = signals.labels
    other: NDArray[Any] = known.labels
    if signals.group is not None and known.group is not None:
        one, other = signals.group, known.group
    foreign = ~np.isin(one[signals.roles == "forget"], other)
    if foreign.mean() > MOST_FOREIGN:
        return (
            f"training records of the shadow models of every class; of {len(foreign)} forget samples "
            f"{int(foreign.sum())} are of classes that none of them has"
        )
    return Deletions(known, "exchanged")


def reference_scores(
    name: str,
    signals: Signals,
    scores: Floats,
    options: Mapping[str, Any],
    nulls: Nulls | None = None,
) -> Reference | str:
    """Return the measure's reference scores, or the sentence that says why there are none.

    Parameters
    ----------
    nulls : Nulls or None
        As `nulls_of` returns them, where they are at hand.
    """
    nulls = nulls_of(signals) if nulls is None else nulls
    entry = MEASURES[name]
    compares = entry.compares_with_original(signals, options)
    holdout, retain = (scores[signals.roles == role] for role in ("holdout", "retain"))
    if not compares and len(holdout) >= ENOUGH:
        text = f"{len(holdout):,} holdout samples, which no model saw"
        return Reference(holdout, retain, text, nulls.strata)
    deletions = nulls.deletions
    if isinstance(deletions, str):
        also = "" if compares else f", or at least {ENOUGH} holdout samples"
        return f"{name} has nothing to be calibrated by here; it takes {deletions}{also}."
    of = deletions.signals
    try:
        known = entry.scorer(signals, options)(of)
    except InputError as error:
        return f"{name} cannot score the {WORDS[deletions.kind]}: {error}"
    gone = known[of.roles == "forget"]
    if len(gone) < ENOUGH:
        return f"Only {len(gone)} simulated deletions; at least {ENOUGH} are wanted to calibrate by."
    if deletions.kind == "simulated":
        retain = known[of.roles == "retain"]
        text = f"{len(gone):,} simulated deletions, and {len(retain):,} samples simulated as kept"
    else:
        text = f"{len(gone):,} {WORDS[deletions.kind]}"
    return Reference(gone, retain, text, deletions.strata)


WORDS = {
    "simulated": "simulated deletions",
    "counterfactual": "samples that no model saw, with the original as if it had been trained on them",
    "exchanged": "training records of the shadow models, with the roles of original and shadow exchanged",
}


def p_values(scores: Floats, null: Floats) -> tuple[Floats, Floats]:
    """Return (p_under, p_over), each [N], in (0, 1]."""
    ordered = np.sort(null)
    below = np.searchsorted(ordered, scores, side="right")
    above = len(null) - np.searchsorted(ordered, scores, side="left")
    return (1 + below) / (1 + len(null)), (1 + above) / (1 + len(null))
