"""Which records the original never saw: data of their own, ids, or a share that is kept from it."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from vestige.errors import InputError
from vestige.systems.base import Positions, Records
from vestige.values import id_list

SHARE = 0.5
"""Of the data, kept from a model that is yet to be fitted, where nothing is said."""


def is_data(unseen: Any) -> bool:
    """Are these records, rather than ids or a share?"""
    if unseen is None or isinstance(unseen, (Real, str)):
        return False
    if isinstance(unseen, tuple):
        return len(unseen) == 2 and any(hasattr(part, "shape") for part in unseen)
    return not isinstance(unseen, (list, set, frozenset, range, np.ndarray)) and not hasattr(
        unseen, "to_list"
    )


def seen_rows(
    records: Records, count: int, unseen: Any, trained: bool, forget: Iterable[str] = ()
) -> tuple[Positions, tuple[str, ...]]:
    """Return the positions of what the original saw or shall see, and what was decided for it, in sentences.

    Parameters
    ----------
    count
        How many records come first, as `data`; those of another data set follow.
    unseen
        As the user gave it.
    trained
        Whether the original is trained: then nothing can be kept from it any more.
    forget
        Ids that the original shall see, for they will be forgotten; those that are unknown are passed over.

    Raises
    ------
    InputError
        Where the original is trained and nothing says what it never saw, where an id is unknown, and for a share that
        leaves nothing on one side.
    """
    if len(records) > count:
        return np.arange(count), ()
    if unseen is None and trained:
        raise InputError(
            "The model is trained, and a verdict compares with records that it never saw: name them, unseen=, as data "
            "of the same form, or as ids among the data."
        )
    if unseen is None or isinstance(unseen, Real):
        wanted = np.flatnonzero(np.isin(records.ids[:count], [str(name) for name in forget]))
        return _by_share(count, SHARE if unseen is None else float(unseen), trained, wanted)
    if isinstance(unseen, str) or not isinstance(unseen, Iterable):
        raise InputError(
            f"unseen is of type {type(unseen).__name__}; data, a list of ids, or a share is wanted."
        )
    names = id_list("unseen", unseen)
    if not len(names):
        raise InputError("unseen names no record; at least one id is wanted.")
    seen = np.setdiff1d(np.arange(count), records.positions(names, "unseen"))
    if not len(seen):
        raise InputError("unseen names every record; the model saw some.")
    return seen, ()


def _by_share(
    count: int, share: float, trained: bool, wanted: Positions
) -> tuple[Positions, tuple[str, ...]]:
    if trained:
        raise InputError(
            "unseen is a share, and the model is trained already: which records it never saw is known to you alone; "
            "name their ids."
        )
    kept = round(share * count) if 0 < share < 1 else 0
    kept = min(kept, count - len(wanted))
    if not 0 < kept < count:
        raise InputError(
            f"unseen is {share:g} of {count} records; a share between 0 and 1 that leaves some is wanted."
        )
    order = np.random.default_rng(np.random.SeedSequence([0, 11])).permutation(count)
    order = order[~np.isin(order, wanted)]
    note = f"{kept:,} of {count:,} records were kept from the model, to compare with; unseen= names others."
    return np.setdiff1d(np.arange(count), order[:kept]), (note,)
