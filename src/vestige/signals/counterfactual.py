"""Deletions from records that no model saw: what the original would have said of them, had it been trained on them.

A record that no model saw is a forgotten one but for a single number: what the model before unlearning says of it. That
number is imputed. Among records that are equally difficult to the shadows, being trained on is taken to move a record's
scaled logit and to keep its rank (rank invariance; Doksum 1974, and "changes in changes" of Athey and Imbens 2006):

    F_0(a | b)  of the original on records that it never saw       b = mean scaled logit of the shadows
    F_1(a | b)  of the original on its training records
    a_i'      = F_1^-1(F_0(a_i | b_i) | b_i)                       within bins of b

The audited model and the shadows stay as they are, so that what ties their outputs to the original's, the training
records that they share, is in the null too; see docs/labbook/calibration.md for what it costs and where it fails.

Where memory saturates, what a model says of its training records hardly depends on how difficult they are, and ranks
are not kept. `agreement` shows it: the original agrees less with the shadows about the order of its training records
than about that of never-seen ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vestige.errors import InputError
from vestige.signals.record import Signals

MOST_BINS, IN_BIN = 20, 25
FEWEST = 20  # records that no model saw, and records that the original was trained on
KEPT = 0.5  # share of the agreement on never-seen records below which ranks are not kept
SURE = float(stats.norm.ppf(0.95))

Floats = NDArray[np.float64]


def counterfactual_deletions(signals: Signals) -> Signals:
    """Return the records that no model saw as exact deletions, with the retained records as kept ones.

    Parameters
    ----------
    signals : Signals
        With `original`, `shadow_out`, at least 20 holdout records and 20 that the original was trained on.

    Returns
    -------
    Signals
        Role "forget": the holdout records, where `original` holds what it would have said; role "retain": the retained
        records as they are. The population of measures that want one are the holdout records as they are.

    Raises
    ------
    InputError
        Where one of these is missing.
    """
    original = signals.require("original", "counterfactual_deletions")
    never, kept = (signals.roles == role for role in ("holdout", "retain"))
    trained = ~never
    if min(never.sum(), trained.sum()) < FEWEST:
        raise InputError(
            f"There are {int(never.sum())} records that no model saw and {int(trained.sum())} that the original was "
            f"trained on; at least {FEWEST} of each are wanted to calibrate by."
        )
    before, ease = signals.scaled_logits("original"), signals.scaled_logits("shadow_out").mean(axis=0)
    moved = _moved(before[never], ease[never], before[trained], ease[trained])
    rows = np.flatnonzero(never | kept)
    answers = original[rows].astype(np.float64)
    unseen = np.flatnonzero(never[rows])
    answers[unseen, signals.labels[never]] += moved - before[never]
    return signals.take(rows).with_(
        original=answers, role=np.where(never[rows], "forget", "retain"), calibration=None, shadow_train=None,
        population=signals.population or signals.of_role("holdout"),
    )  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of what the original says of records with what the shadows say of them on average.

    Attributes
    ----------
    never_seen, trained : float
        On records that no model saw, and on those that the original was trained on; in [-1, 1].
    records : int
        How many the original was trained on.
    """

    never_seen: float
    trained: float
    records: int

    @property
    def lost(self) -> bool:
        """Does training surely leave less than half of the agreement?"""
        highest = math.tanh(math.atanh(self.trained) + SURE / math.sqrt(self.records - 3))
        return highest < KEPT * self.never_seen


def agreement(signals: Signals) -> Agreement:
    """Return how well the original agrees with the shadows about the order of records."""
    never = signals.roles == "holdout"
    before, ease = signals.scaled_logits("original"), signals.scaled_logits("shadow_out").mean(axis=0)
    one, other = (_rank_correlation(before[rows], ease[rows]) for rows in (never, ~never))
    return Agreement(one, other, int((~never).sum()))


def _rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's, within [-0.999, 0.999]; the largest where all answers are alike: there is no order to lose."""
    alike = np.ptp(one) == 0 or np.ptp(other) == 0
    return float(np.clip(1 if alike else stats.spearmanr(one, other).statistic, -0.999, 0.999))


def _moved(values: Floats, ease: Floats, known: Floats, known_ease: Floats) -> Floats:
    """Return the quantile of `known` at the rank of each of `values`, within bins of ease."""
    bins = int(np.clip(min(len(values), len(known)) // IN_BIN, 1, MOST_BINS))
    edges = np.quantile(known_ease, np.arange(1, bins) / bins)
    place, known_place = (np.searchsorted(edges, each) for each in (ease, known_ease))
    moved = np.empty(len(values))
    for one in np.unique(place):
        rows = place == one
        rank = (stats.rankdata(values[rows]) - 0.5) / rows.sum()
        inside = known[known_place == one]
        moved[rows] = np.quantile(inside if len(inside) else known, rank)
    return moved
