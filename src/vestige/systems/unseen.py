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
    if unseen is None or isinstance(unseen, (Real, str, list, set, frozenset, range, np.ndarray)):
        return False
    if hasattr(unseen, "to_list") and not hasattr(unseen, "columns"):  # a column or an index of pandas
        return False
    return not isinstance(unseen, tuple) or (
        len(unseen) == 2 and all(hasattr(part, "__len__") and not isinstance(part, str) for part in unseen)
    )


def seen_rows(
    ids: NDArray[np.str_], unseen: Any, fitted: bool, forget: Iterable[str] | None = None
) -> tuple[Positions, tuple[str, ...]]:
    """Return positions of the records that the original saw or shall see, and what was chosen for it, in sentences.

    Parameters
    ----------
    ids : text [N]
        Of all records.
    unseen
        Who the original never saw: ids, a share of all, or None: half of all.
    fitted
        Whether the original is fitted: nothing can be kept from it any more.
    forget
        Who will be forgotten: a share leaves them to the original.

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
        return np.setdiff1d(np.arange(n), kept), (note,)
    strangers = id_list("unseen", unseen).tolist()
    lacking = [name for name in strangers if name not in where]
    if lacking:
        raise InputError(
            f"unseen: {lacking[0]!r} is not among the {n:,} records; they look like {str(ids[0])!r}."
        )
    return np.setdiff1d(np.arange(n), [where[name] for name in strangers]).astype(np.int64), ()
