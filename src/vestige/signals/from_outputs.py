"""`Signals.from_outputs`: outputs of several models, of any kind, become one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, shown
from vestige.signals.kinds import (
    FLOOR,
    LIMITS,
    OF_CLASSES,
    Outputs,
    columns_of,
    fitted,
    floor_of,
    kind_of_signals,
    places,
    residual_scale,
    targets_of,
)
from vestige.signals.transforms import Floats
from vestige.values import as_array, as_floats, check_aligned

if TYPE_CHECKING:
    from vestige.signals.record import Signals

S = TypeVar("S", bound="Signals")


def _truth(kind: str, truth: Any, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return what is true of n records, as the kind wants it. Raises `InputError`."""
    n = shape[0]
    if truth is None:
        if kind == "losses":
            return None
        raise InputError(f"truth is missing; for {kind} it is wanted, see vestige.signals.kinds.")
    if kind == "predictions":
        return targets_of(truth, shape)
    array = as_array("truth", truth)
    if kind == "multilabel":
        if array.shape != shape or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
            raise InputError(
                f"truth is {array.dtype} of shape {list(array.shape)}; for multilabel 0 and 1 of shape {list(shape)}, "
                "whether each label holds, are wanted."
            )
        return array.astype(np.float64)
    if array.shape != (n,):
        raise InputError(
            f"truth has shape {list(array.shape)}; the true class of each record, [{n}], is wanted."
        )
    return places("truth", array) if kind == "labels" or array.dtype.kind == "f" else array


def signals_of(
    record: type[S],
    kind: str,
    truth: Any,
    *,
    unlearned: Any,
    original: Any = None,
    shadow_out: Any = None,
    retrained: Any = None,
    scale: Any = None,
    floor: float | None = None,
    **rest: Any,
) -> S:
    """Build `Signals` from outputs of any kind; see `Signals.from_outputs`, and `floor_of` for `floor`."""
    check_aligned(
        truth=truth, unlearned=unlearned, original=original, shadow_out=shadow_out, retrained=retrained
    )
    models: dict[str, Any] = {"unlearned": _one("unlearned", unlearned, kind)}
    shape = models["unlearned"].shape
    if original is not None:
        models["original"] = _one("original", original, kind, shape)
    for name, value in (("shadow_out", shadow_out), ("retrained", retrained)):
        if value is not None:
            models[name] = _several(name, value, kind, shape)
    if scale is not None and kind != "predictions":
        raise InputError(f"scale is given for {kind}; predictions alone have one.")
    known, notes = _truth(kind, truth, shape), list(rest.pop("notes", ()))
    within = rest.pop("population_in", None)
    if within is not None:
        if kind not in (*OF_CLASSES, "losses"):
            raise InputError(
                f"population_in is given for {kind}; it is taken for {', '.join(OF_CLASSES)} and losses."
            )
        models["population_in"] = _one("population_in", within, kind)
    sizes = None
    if kind == "predictions":
        sizes = _scale(scale, models["unlearned"], known, rest.get("role"))
        notes.append(_scale_words(sizes, scale is None))
    if floor is None:
        floor = min(floor_of(one, kind) for value in models.values() for one in _listed(value))
    columns, clipped = _each(models, lambda values: columns_of(values, kind, known, sizes, floor))
    if any(clipped):
        notes.append(
            clipped_words(sum(clipped), sum(int(np.prod(one.shape[:-1])) for one in columns.values()), floor)
        )
    if kind in LIMITS:
        notes.append(LIMITS[kind])
    if kind in ("labels", "losses") and known is not None:
        rest.setdefault("group", known)
    labels = known if kind in OF_CLASSES else np.zeros(shape[0], np.int64)
    fields: dict[str, Any] = columns | rest
    return record(**fields | {"labels": labels, "kind": kind_of_signals(kind), "notes": tuple(notes)})


def _one(name: str, value: Any, kind: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return one model's outputs, of the shape of the others."""
    if isinstance(value, Outputs):
        if value.kind != kind:
            raise InputError(
                f"{name} are {value.kind}, and {kind} is asked for; all outputs are of one kind."
            )
        array = value.values
    else:
        array = fitted(name, value, kind)
    if shape is not None and array.shape != shape:
        raise InputError(
            f"{name} has shape {list(array.shape)}; {list(shape)} is wanted, as `unlearned` has."
        )
    return array


def _several(name: str, value: Any, kind: str, shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """Return the outputs of one model or several, each by itself."""
    if isinstance(value, Outputs):
        return [_one(name, value, kind, shape)]
    if isinstance(value, Sequence) and any(isinstance(one, Outputs) for one in value):
        return [_one(f"{name}[{place}]", one, kind, shape) for place, one in enumerate(value)]
    array = as_array(name, value)
    column = array.shape == (shape[0], 1) and shape[0] > 1
    several = array.ndim == 3 or (array.ndim == 2 and len(shape) == 1 and not column)
    models = list(array) if several else [array]
    if not models:
        raise InputError(f"{name} holds no model; leave it out, or give one at least.")
    return [
        _one(f"{name}[{place}]" if several else name, one, kind, shape) for place, one in enumerate(models)
    ]


def _each(
    models: Mapping[str, Any], change: Callable[[NDArray[Any]], tuple[NDArray[Any], int]]
) -> tuple[dict[str, NDArray[Any]], list[int]]:
    """Return what `change` makes of every model, and its counts."""
    arrays: dict[str, NDArray[Any]] = {}
    counts = []
    for name, value in models.items():
        pairs = [change(one) for one in _listed(value)]
        arrays[name] = np.stack([array for array, _ in pairs]) if isinstance(value, list) else pairs[0][0]
        counts += [count for _, count in pairs]
    return arrays, counts


def clipped_words(count: int, rows: int, floor: float = FLOOR, of: str = "") -> str:
    """Return how many probabilities were clipped, in a sentence; `of` says whose they are."""
    whose = f" of {of}" if of else ""
    coarse = "how small they were cannot be seen"
    if floor > FLOOR:
        coarse = "outputs as coarse as these do not tell how small they were"
    return f"{count:,} probabilities{whose} in {rows:,} rows were below {floor:.2g} and taken as {floor:.2g}: {coarse}."


def _listed(value: Any) -> list[NDArray[Any]]:
    return value if isinstance(value, list) else [value]


def _scale(scale: Any, unlearned: NDArray[Any], targets: Any, role: Any) -> Floats:
    width = int(np.prod(unlearned.shape[1:]))
    if scale is None:
        held = (
            np.zeros(len(unlearned), bool)
            if role is None
            else as_array("role", role).astype(str) == "holdout"
        )
        if held.shape != (len(unlearned),):
            raise InputError(
                f"role has shape {list(held.shape)}; [{len(unlearned)}] is wanted, one per sample."
            )
        if not held.any():
            raise InputError(
                "The scale of residuals is taken from holdout records, and there are none: give rows the role "
                "'holdout', or the scale itself, scale=."
            )
        return residual_scale(unlearned[held], targets[held])
    sizes = as_floats("scale", scale).astype(np.float64).ravel()
    if len(sizes) not in (1, width) or not (sizes > 0).all():
        raise InputError(f"scale is {shown(scale)}; a number above 0 for each of {width} outputs is wanted.")
    return np.broadcast_to(sizes, (width,))


def _scale_words(scale: Floats, measured: bool) -> str:
    few = ", ".join(f"{one:.4g}" for one in scale[:8]) + (", ..." if len(scale) > 8 else "")
    where = "1.4826 times the median residual of the holdout records" if measured else "as given"
    return f"Residuals are in units of {few}, {where}."
