"""Attacks that are fitted on the audited model itself: who is a member, who is not, and who has been seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, MissingArray
from vestige.signals import Signals
from vestige.signals.fields import HOW_TO_GET

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Fit = Callable[[Rows, NDArray[np.bool_]], Callable[[Rows], Floats]]
FEWEST = 5


def members_and_others(signals: Signals, name: str, *, limit: int | None = None) -> tuple[Rows, Rows]:
    """Return the positions of retained and of holdout samples, at most `limit` each, chosen by their ids."""
    groups = tuple(np.flatnonzero(signals.roles == role) for role in ("retain", "holdout"))
    if min(map(len, groups)) < FEWEST:
        raise MissingArray(
            f"{name} needs {FEWEST} retained and {FEWEST} holdout samples: {HOW_TO_GET['role']}."
        )
    if limit is None:
        return groups[0], groups[1]
    ranked = [group[np.argsort(_hashes(signals.names[group]), kind="stable")][:limit] for group in groups]
    return np.sort(ranked[0]), np.sort(ranked[1])


def cross_fitted(signals: Signals, members: Rows, others: Rows, fit: Fit, *, folds: int, name: str) -> Floats:
    """Score every sample [N] by attacks that have not seen it: its fold's, or the mean of all where it is in none.

    Folds and the order of the rows depend on the samples' ids only.

    Parameters
    ----------
    fit : Fit
        `(rows, truth) -> score`: trains an attack on `rows`, of which `truth` are non-members; `score(rows)`
        returns its scores.
    """
    rows = np.concatenate([members, others])
    rows = rows[np.argsort(signals.names[rows])]
    fold, truth = folds_of(signals.names[rows], folds), np.isin(rows, others)
    total, count = np.zeros(len(signals)), np.zeros(len(signals))
    for k in range(folds):
        seen = fold != k
        if truth[seen].all() or not truth[seen].any():
            raise InputError(f"{name} needs members and non-members in every fold; there are too few.")
        unseen = np.ones(len(signals), bool)
        unseen[rows[seen]] = False
        total[unseen] += fit(rows[seen], truth[seen])(np.flatnonzero(unseen))
        count += unseen
    return total / count


def folds_of(names: NDArray[np.str_], folds: int) -> Rows:
    """Return the fold of each sample, from 0, by the hash of its id alone."""
    return _hashes(names) % folds


def _hashes(names: NDArray[np.str_]) -> Rows:
    digests = (hashlib.blake2b(str(name).encode(), digest_size=4).digest() for name in names)
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.int64)
