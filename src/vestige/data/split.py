"""`Split`: which samples to forget, which to retain, which no audited model may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import OWN_CHECK, Seed, Whole, checked
from vestige.data.dataset import Dataset
from vestige.data.labels import class_index
from vestige.errors import InputError, unknown
from vestige.values import as_array

Role = Literal["forget", "retain", "holdout", "shadow", "train"]
SCENARIOS = ("random", "class", "partial_class", "ids")


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint sets of positions in `data`; `train` = forget and retain together.

    Attributes
    ----------
    forget : int64 [F]
        Trained on, to be unlearned.
    retain : int64 [R]
        Trained on, to be kept.
    holdout : int64 [H]
        Seen by no audited and no shadow model.
    shadow : int64 [P]
        The pool that shadow models are trained on, seen by no audited model.

    Raises
    ------
    InputError
        Where two sets overlap, forget or retain is empty, or a set holds no positions.
    """

    data: Dataset
    forget: NDArray[np.int64]
    retain: NDArray[np.int64]
    holdout: NDArray[np.int64]
    shadow: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not isinstance(self.data, Dataset):
            raise InputError(f"A split is of a Dataset; this is of type {type(self.data).__name__}.")
        roles = ("forget", "retain", "holdout", "shadow")
        parts = {role: _positions(getattr(self, role), role, len(self.data)) for role in roles}
        for role, positions in parts.items():
            object.__setattr__(self, role, positions)
        for role in ("forget", "retain"):
            if not len(parts[role]):
                raise InputError(f"The {role} set is empty; an unlearning request needs at least one sample.")
        for one, two in combinations(parts, 2):
            both = np.intersect1d(parts[one], parts[two])
            if len(both):
                name = str(self.data.ids[both[0]])
                raise InputError(f"{one} and {two} overlap in {len(both)} samples, among them {name!r}.")
        for role, positions in parts.items():
            if len(np.unique(positions)) != len(positions):
                raise InputError(f"The {role} set names a sample twice.")

    @property
    def train(self) -> NDArray[np.int64]:
        """[F + R] sorted positions of what the original model was trained on."""
        return np.sort(np.concatenate([self.forget, self.retain]))

    def rows(self, role: Role) -> Dataset:
        """Return the samples of one role."""
        return self.data.take(getattr(self, role))


@checked
def make_split(
    data: Dataset,
    scenario: str = "random",
    *,
    forget: int | float | None = None,
    label: Annotated[float | str | None, OWN_CHECK] = None,
    ids: Annotated[Iterable[str] | None, OWN_CHECK] = None,
    train: Whole | None = None,
    holdout: int | float = 0.2,
    shadow: int | float = 0.4,
    seed: Seed = 0,
    request: Whole | None = None,
) -> Split:
    """Draw an unlearning request over `data`.

    Parameters
    ----------
    scenario : str
        "random": `forget` samples of the training set (a count, or a fraction below 1; default 0.1) "class":
        every training sample of class `label` "partial_class": `forget` of the training samples of class
        `label` (default 0.1) "ids": exactly the samples in `ids`; they become part of the training set.
    label : float or str or None
        The name of a class; a number is the class of that name where class names are numbers, by value, and
        else a place in `data.classes`.
    train : int or None
        How many samples the original model is trained on (forget and retain); default: the rest.
    holdout : int or float
        How many, or which fraction of all, no model sees.
    shadow : int or float
        How many, or which fraction of all, form the shadow pool.
    seed : int
        Of the draw; the same seed gives the same split.
    request : int or None
        Another draw of the forget samples from the same training set; default: the one that `seed` gives.

    Raises
    ------
    InputError
        Where the counts do not fit the data, for an unknown or ambiguous class, and for ids that are not in
        the data.
    """
    if scenario not in SCENARIOS:
        raise InputError(unknown("scenario", scenario, SCENARIOS))
    for name, some, wanted in (
        ("ids", ids, ("ids",)),
        ("label", label, ("class", "partial_class")),
        ("forget", forget, ("partial_class", "random")),
    ):
        if some is not None and scenario not in wanted:
            raise InputError(
                f"{name} is given, which the scenario {scenario!r} does not read; did you mean {wanted[0]!r}?"
            )
    n = len(data)
    fixed = data.positions(ids, "forget ids") if scenario == "ids" and ids is not None else None
    if scenario == "ids" and (fixed is None or not len(fixed)):
        raise InputError("The scenario 'ids' needs a list of at least one id to forget.")
    n_holdout, n_shadow = _count(holdout, n, "holdout"), _count(shadow, n, "shadow")
    n_train = n - n_holdout - n_shadow if train is None else train
    if n_train < 2 or n_train + n_holdout + n_shadow > n:
        raise InputError(
            f"train {n_train} + holdout {n_holdout} + shadow {n_shadow} samples do not fit in the {n} of {data.name}."
        )
    draw, choose = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    if request is not None:
        choose = np.random.default_rng(np.random.SeedSequence((seed, request)))
    order = draw.permutation(n)
    if fixed is not None:  # the user's list comes first, so that it falls into the training set
        order = np.concatenate([fixed, order[~np.isin(order, fixed)]])
    trained, held, pool = np.split(order[: n_train + n_holdout + n_shadow], [n_train, n_train + n_holdout])
    chosen = fixed if fixed is not None else _chosen(data, trained, scenario, forget, label, choose)
    if len(chosen) >= n_train:
        raise InputError(f"Forgetting {len(chosen)} of {n_train} training samples leaves nothing to retain.")
    retain = trained[~np.isin(trained, chosen)]
    return Split(data, np.sort(chosen), np.sort(retain), np.sort(held), np.sort(pool))


def _positions(values: Any, role: str, n: int) -> NDArray[np.int64]:
    """Return a set of positions as int64. Raises `InputError` for a mask, for ids, and for what is outside the data."""
    positions = as_array(f"The {role} set", values)
    if positions.size == 0:
        return np.zeros(0, np.int64)
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise InputError(
            f"The {role} set is {positions.dtype} of shape {positions.shape}; positions, integers [N], are wanted: "
            "np.flatnonzero(mask) gives those of a mask, data.positions(ids) those of ids."
        )
    outside = positions[(positions < 0) | (positions >= n)]
    if len(outside):
        raise InputError(f"The {role} set names position {outside[0]}; the data has 0..{n - 1}.")
    return positions.astype(np.int64, copy=False)


def _chosen(
    data: Dataset,
    trained: NDArray[np.int64],
    scenario: str,
    forget: int | float | None,
    label: float | str | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    if scenario == "random":
        count = _count(0.1 if forget is None else forget, len(trained), "forget")
        return np.asarray(rng.permutation(trained)[:count])
    if label is None:
        raise InputError(
            f"The scenario {scenario!r} needs a label, one of {', '.join(map(str, data.classes))}."
        )
    index = class_index(data.classes, label)
    members = trained[data.y[trained] == index]
    if not len(members):
        raise InputError(f"No training sample has the class {data.classes[index]!r}.")
    if scenario == "class":
        return np.asarray(members)
    count = _count(0.1 if forget is None else forget, len(members), "forget")
    return np.asarray(rng.permutation(members)[:count])


def _count(value: int | float, total: int, what: str) -> int:
    """Return a count from a count, or from a fraction of `total` when below 1."""
    if value > 1 and value != int(value):
        raise InputError(f"{what} is {value!r}; a count, or a fraction below 1, is wanted.")
    fraction = isinstance(value, float) and value < 1
    count = round(value * total) if fraction else int(value)
    if not 0 <= count <= total or (what == "forget" and count == 0):
        raise InputError(
            f"{what} is {value!r}, that is {count} of {total} samples; wanted: a count or a fraction."
        )
    return count
