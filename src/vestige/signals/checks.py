"""Whether the fields of `Signals` fit: looked at when a record is made, and when a part of one is replaced."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

import numpy as np

from vestige.errors import InputError
from vestige.signals.fields import (
    check_exchanged,
    ids_of,
    kind_of,
    labels_of,
    logits_of,
    names_of,
    notes_of,
    roles_of,
)
from vestige.values import as_floats, as_ids

if TYPE_CHECKING:
    from vestige.signals.record import Signals

STACKS = ("shadow_out", "retrained")
ATTACHED = ("population", "calibration", "shadow_train")


def check(record: Signals, changed: Set[str]) -> None:
    """Check the fields in `changed`, each by itself and against `unlearned` and the others."""
    n, c = shape = record.unlearned.shape
    if "labels" in changed:
        _set(record, "labels", labels_of(record.labels, n, c))
    if changed & {"labels", "kind"}:
        _set(record, "kind", kind_of(record.kind, record.labels, c))
    if "notes" in changed:
        _set(record, "notes", notes_of(record.notes))
    for name in ("original", "shadow_out", "retrained", "sensitivity"):
        if name in changed and getattr(record, name) is not None:
            _set(record, name, logits_of(name, getattr(record, name), shape, name in STACKS))
    if "shadow_fit" in changed and record.shadow_fit is not None:
        fit = as_floats("shadow_fit", record.shadow_fit).ravel()
        if not fit.size or fit.min() < 0 or fit.max() > 1:
            raise InputError("shadow_fit must be a non-empty array of confidences between 0 and 1.")
        _set(record, "shadow_fit", fit)
    if "role" in changed:
        _set(record, "role", roles_of(record.role, n))
    if "ids" in changed:
        _set(record, "ids", ids_of(record.ids, n))
    for name in ("source", "cluster", "group"):
        if name in changed and getattr(record, name) is not None:
            _set(record, name, names_of(name, getattr(record, name), n))
    if changed & {"ids", "shadow_ids"} and record.shadow_ids is not None:
        _check_shadow_ids(record)
    if changed & {"shadow_out", "population_in", "kind", *ATTACHED}:
        _check_attached(record, c)
    if changed & {"shadow_out", "shadow_train", "ids"} and record.shadow_train is not None:
        check_exchanged(record, record.shadow_train)


def _check_shadow_ids(record: Signals) -> None:
    """Refuse shadow models that saw what they are a reference for."""
    names = np.unique(as_ids("shadow_ids", record.shadow_ids, distinct=False))
    _set(record, "shadow_ids", names)
    seen = np.intersect1d(names, record.names)
    if len(seen):
        raise InputError(
            f"shadow_out comes from models trained on {len(seen)} of the queried samples, among them "
            f"{str(seen[0])!r}; shadow models must not have seen what they are a reference for."
        )


def _check_attached(record: Signals, c: int) -> None:
    """Refuse attached records that are of other classes, outputs or numbers of shadow models."""
    for name in ATTACHED:
        attached = getattr(record, name)
        if attached is not None and not isinstance(attached, type(record)):
            raise InputError(f"{name} is of type {type(attached).__name__}; a Signals record is wanted.")
        if attached is not None and attached.classes != c:
            raise InputError(f"{name} has {attached.classes} classes, the audited samples have {c}.")
        if attached is not None and attached.kind != record.kind:
            raise InputError(
                f"{name} is of kind {attached.kind!r}, the audited samples are of kind {record.kind!r}; make both "
                "from the same kind of outputs."
            )
    known = record.calibration
    if known is not None and record.shadows and known.shadows != record.shadows:
        raise InputError(
            f"calibration has {known.shadows} OUT shadows per sample, the audited samples have {record.shadows}; "
            "they must be as many, or the simulated deletions are no null for the audited ones."
        )
    if record.population_in is not None:
        if record.population is None:
            raise InputError("population_in is given without population.")
        shape = record.population.unlearned.shape
        _set(record, "population_in", logits_of("population_in", record.population_in, shape, False))


def _set(record: Signals, name: str, value: object) -> None:
    """Keep a field as it was checked."""
    object.__setattr__(record, name, value)
