"""Which records the original never saw, where they are not data of their own: ids, or a share that is kept from it."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.systems.base import Positions
from vestige.values import id_list

SHARE = 0.5
"""Of the data that is kept from a model that is not fitted yet."""


def is_data(unseen: Any) -> bool:
    """Are these records, rather than ids or a share?"""
    if unseen is None or isinstance(unseen, (Real, str, list, set, frozenset, np.ndarray)):
        return False
    if isinstance(unseen, tuple):
        return len(unseen) == 2 and any(hasattr(part, "shape") for part in unseen)
    return not isinstance(unseen, (list, set, frozenset, np.ndarray)) and not hasattr(unseen, "to_list")


def seen_rows(
    records: Records, count: int, unseen: Any, trained: bool, seed: int = 0, forget: Iterable[str] = ()
) -> tuple[Positions, tuple[str, ...]]:
    """Return positions of the records that the original saw or shall see, and what was chosen for it, in sentences.

    Parameters
    ----------
    ids : text [N]
        Of all records.
    unseen
        As the user gave it.
    trained
        Whether the original is trained: then nothing can be kept from it any more.
    forget
        Ids that the original shall see, for they will be forgotten; those that are unknown are passed over.

    Raises
    ------
    InputError
        Where the original is fitted and nothing says what it never saw, for an id that is unknown, and for a share that
        leaves nothing on one side.
    """
    n = len(ids)
    where = {name: place for place, name in enumerate(ids.tolist())}
    if unseen is None or (isinstance(unseen, Real) and not isinstance(unseen, bool)):
        if fitted and unseen is None:
            raise InputError(
                "The model is fitted, and a verdict needs records that it never saw: give them by unseen=, as data of the "
                "same form, or as ids among the data."
            )
        if fitted:
            raise InputError(f"unseen is {unseen}, a share, and the model is fitted; give ids of what it never saw.")
        share = SHARE if unseen is None else float(unseen)
        asked = np.array([where[str(name)] for name in forget or () if str(name) in where], dtype=np.int64)
        others = np.setdiff1d(np.arange(n), asked)
        kept = np.random.default_rng(0).permutation(others)[: round(share * n)] if 0 < share < 1 else others[:0]
        if not 0 < len(kept) < n:
            raise InputError(
                f"unseen is {unseen!r} of {n:,} records; a share above 0 and below 1 is wanted, or ids."
            )
        note = (
            f"{len(kept):,} of the {n:,} records, chosen at random, were kept from the original, for a verdict needs "
            "them."
        )
    if unseen is None or isinstance(unseen, Real):
        wanted = np.flatnonzero(np.isin(records.ids[:count], [str(name) for name in forget]))
        return _by_share(count, SHARE if unseen is None else float(unseen), trained, seed, wanted)
    if isinstance(unseen, str) or not isinstance(unseen, Iterable):
        raise InputError(
            f"unseen is of type {type(unseen).__name__}; data, a list of ids, or a share is wanted."
        )
    names = [str(name) for name in (unseen.tolist() if hasattr(unseen, "tolist") else unseen)]
    seen = np.setdiff1d(np.arange(count), records.positions(names, "unseen"))
    if not len(seen):
        raise InputError("unseen names every record; the model saw some.")
    return seen, ()


def _by_share(
    count: int, share: float, trained: bool, seed: int, wanted: Positions
) -> tuple[Positions, tuple[str, ...]]:
    if trained:
        raise InputError(
            f"unseen: {lacking[0]!r} is not among the {n:,} records; they look like {str(ids[0])!r}."
        )
    kept = round(share * count) if 0 < share < 1 else 0
    kept = min(kept, count - len(wanted))
    if not 0 < kept < count:
        raise InputError(
            f"unseen is {share:g} of {count} records; a share between 0 and 1 that leaves some is wanted."
        )
    order = np.random.default_rng(np.random.SeedSequence([seed, 11])).permutation(count)
    order = order[~np.isin(order, wanted)]
    note = f"{kept:,} of {count:,} records were kept from the model, to compare with; unseen= names others."
    return np.setdiff1d(np.arange(count), order[:kept]), (note,)
