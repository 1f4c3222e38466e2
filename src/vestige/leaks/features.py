"""What an adversary makes of a pair of posteriors: vectors for an attack model, and scores that need none.

Chen, Zhang, Wang, Backes, Humbert, Zhang: When Machine Unlearning Jeopardizes Privacy. ACM CCS 2021, arXiv 2005.02205.

    direct_diff    P - Q                            P before, Q after
    sorted_diff    s(P) - s(Q)                      s: the order that sorts P ascending, applied to both
    direct_concat  [P, Q]
    sorted_concat  [s(P), s(Q)]
    l2_distance    |P - Q|
    basic_mia      P                                the published one-model baseline, unsorted

Fair one-model baselines beside it: `sorted_mia`, s(P), and the scores `max_confidence`, `true_confidence`, `entropy`,
larger = more like a member of the original's training set. A score needs no attack model: its threshold is its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Count, checked
from vestige.errors import InputError, unknown
from vestige.leaks.record import PosteriorPairs
from vestige.measures import MEASURES, measure
from vestige.signals import Signals

Floats = NDArray[np.float64]
Feature: TypeAlias = Callable[[PosteriorPairs], Floats]


def _sorted_diff(pairs: PosteriorPairs) -> Floats:
    first, second = pairs.ordered
    return first - second


def _distance(pairs: PosteriorPairs) -> Floats:
    change = pairs.original - pairs.unlearned
    return np.asarray(np.sqrt(np.einsum("nk,nk->n", change, change))[:, None])


FEATURES: dict[str, Feature] = {
    "direct_diff": lambda pairs: pairs.original - pairs.unlearned,
    "sorted_diff": _sorted_diff,
    "direct_concat": lambda pairs: np.concatenate([pairs.original, pairs.unlearned], axis=1),
    "sorted_concat": lambda pairs: np.concatenate(pairs.ordered, axis=1),
    "l2_distance": _distance,
}
ONE_MODEL: dict[str, Feature] = {
    "basic_mia": lambda pairs: pairs.original,
    "sorted_mia": lambda pairs: pairs.ordered[0],
}


def _true(pairs: PosteriorPairs, posterior: Floats) -> Floats:
    if pairs.labels is None:
        raise InputError("This score needs the records' `labels`.")
    return posterior[np.arange(len(pairs)), pairs.labels]


def _entropy(p: Floats) -> Floats:
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1))


# scores [n], larger = more like a deleted record than like one that was never there
ONE_MODEL_SCORES: dict[str, Feature] = {
    "max_confidence": lambda pairs: pairs.original.max(axis=1),
    "true_confidence": lambda pairs: _true(pairs, pairs.original),
    "entropy": lambda pairs: -_entropy(pairs.original),
}
SCORES: dict[str, Feature] = {
    "l2_threshold": lambda pairs: _distance(pairs)[:, 0],
    "true_confidence_drop": lambda pairs: _true(pairs, pairs.original) - _true(pairs, pairs.unlearned),
    "entropy_rise": lambda pairs: _entropy(pairs.unlearned) - _entropy(pairs.original),
}


@checked
def features_of(pairs: PosteriorPairs, name: str, *, classes: Count | None = None) -> Floats:
    """Return the vectors [n, d] of a named feature.

    Parameters
    ----------
    classes : int or None
        Keep so many of the K classes, those with the largest posteriors before: sorted features of data with
        different classes then have one length.

    Raises
    ------
    InputError
        For an unknown name, and where classes are to be left out of a feature that is not sorted.
    """
    known = FEATURES | ONE_MODEL
    if name not in known:
        raise InputError(unknown("feature", name, known))
    values = known[name](pairs)
    if classes is None or classes == pairs.classes or name == "l2_distance":
        return values
    if not transfers(name):
        raise InputError(
            f"{name} says which class is which; it cannot be cut to {classes} of {pairs.classes} classes."
        )
    blocks = values.reshape(len(values), -1, pairs.classes)[:, :, -classes:]
    return blocks.reshape(len(values), -1)


def transfers(feature: str) -> bool:
    """Does a feature mean the same between data with different classes?"""
    return feature.startswith("sorted") or feature == "l2_distance"


@checked
def score_of(pairs: PosteriorPairs, name: str) -> Floats:
    """Return a score [n] that needs no attack model, or that of a measure which needs no shadow models.

    Raises `InputError` for an unknown name, and where labels are missing.
    """
    known = ONE_MODEL_SCORES | SCORES
    if name in known:
        return known[name](pairs)
    if name in measures_without_shadows():
        if pairs.labels is None:
            raise InputError(f"{name} needs the records' `labels`.")
        floor = 1e-12
        logs = (np.log(np.maximum(p, floor)) for p in (pairs.unlearned, pairs.original))
        unlearned, original = logs
        return measure(name, Signals(pairs.labels, unlearned, original=original))
    raise InputError(unknown("score", name, (*known, *measures_without_shadows())))


def measures_without_shadows() -> tuple[str, ...]:
    """Return the names of the measures that read the two models' answers and nothing else."""
    wanted = {"unlearned", "original"}
    return tuple(n for n in MEASURES if set(MEASURES[n].needs) == wanted and not MEASURES[n].uses)
