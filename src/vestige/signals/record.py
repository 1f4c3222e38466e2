"""`Signals`: everything that measuring reads, as arrays. Any framework can fill it; no model is in it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vestige.errors import InputError, MissingArray, unknown
from vestige.signals.transforms import Floats, scaled_logit
from vestige.values import are_probabilities, as_array, as_floats, as_ids, as_rows

ROLES = ("forget", "retain", "holdout")
STACKS = ("shadow_out", "retrained")
ATTACHED = ("population", "calibration")

HOW_TO_GET = {
    "original": "the logits [N, C] of the model before unlearning, on the same samples",
    "shadow_out": "the logits [S, N, C] of at least one model that never saw these samples",
    "shadow_fit": "the true-label confidence [M] of the shadow models on their own training samples",
    "retrained": "the logits [R, N, C] of models trained without the forget set",
    "population": "`Signals` of samples that no audited model was trained on, or rows with the role 'holdout'",
    "population_in": "the logits [Z, C] on the population of a model trained on it",
    "sensitivity": "`collect_sensitivity` of the unlearned model, [N, C]",
    "role": "a role per sample: 'forget', 'retain' or 'holdout'",
    "calibration": "`Signals` of simulated deletions with known truth, from at least three shadow models",
}


@dataclass(frozen=True, eq=False)
class Signals:
    """Outputs of the audited model and its references on N samples of C classes.

    labels         int [N]         true classes
    unlearned      float [N, C]    logits of the model under audit
    original       float [N, C]    logits of the model before unlearning
    shadow_out     float [S, N, C] logits of shadow models that never saw the N samples ([N, C] for one)
    shadow_fit     float [M]       true-label confidence of shadow models on their own training data
    retrained      float [R, N, C] logits of exact retrains without the forget set ([N, C] for one)
    population     Signals         samples no audited model was trained on
    population_in  float [Z, C]    logits on the population of a model that was trained on it
    calibration    Signals         simulated deletions with known truth: role "forget" = the model in the
                                   place of `original` saw the sample and the one in the place of
                                   `unlearned` never did; role "retain" = both saw it
    sensitivity    float [N, C]    how much each output of `unlearned` moves under small noise, per unit of noise
    role           str [N]         "forget", "retain" or "holdout"; all "forget" where not given
    ids            str [N]         names of the samples; "0", "1", ... where not given
    shadow_ids     str [...]       ids of samples that any shadow model was trained on, where known
    source         str [N]         where a holdout sample comes from, such as "holdout" or "pool"; two sources check
                                   each other. Without it there is one
    cluster        str [N]         which samples belong together, for example one person's; a verdict takes them as one

    Logits may be log-probabilities, never probabilities. Arrays are kept as they are given (float32 stays float32);
    measures compute in float64, in chunks. Ids are text, or integers, which become text by their digits. Raises
    `InputError` for shapes, labels, roles, ids or values that do not fit.
    """

    labels: NDArray[np.int64]
    unlearned: NDArray[np.floating[Any]]
    original: NDArray[np.floating[Any]] | None = None
    shadow_out: NDArray[np.floating[Any]] | None = None
    shadow_fit: NDArray[np.floating[Any]] | None = None
    retrained: NDArray[np.floating[Any]] | None = None
    population: Signals | None = None
    population_in: NDArray[np.floating[Any]] | None = None
    calibration: Signals | None = None
    sensitivity: NDArray[np.floating[Any]] | None = None
    role: NDArray[np.str_] | None = None
    ids: NDArray[np.str_] | None = None
    shadow_ids: NDArray[np.str_] | None = None
    source: NDArray[np.str_] | None = None
    cluster: NDArray[np.str_] | None = None
    _scaled: dict[tuple[str, float], Floats] | None = dataclasses.field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._set("unlearned", _audited(self.unlearned))
        self._check(FIELDS)

    def _check(self, changed: Set[str]) -> None:
        """Check the fields in `changed`, each by itself and against `unlearned` and the others."""
        n, c = shape = self.unlearned.shape
        if "labels" in changed:
            self._set("labels", _labels(self.labels, n, c))
        for name in ("original", "shadow_out", "retrained", "sensitivity"):
            if name in changed and getattr(self, name) is not None:
                self._set(name, _logits(name, getattr(self, name), shape, name in STACKS))
        if "shadow_fit" in changed and self.shadow_fit is not None:
            fit = as_floats("shadow_fit", self.shadow_fit).ravel()
            if not fit.size or fit.min() < 0 or fit.max() > 1:
                raise InputError("shadow_fit must be a non-empty array of confidences between 0 and 1.")
            self._set("shadow_fit", fit)
        if "role" in changed:
            self._set("role", _roles(self.role, n))
        if "ids" in changed:
            self._set("ids", _ids(self.ids, n))
        for name in ("source", "cluster"):
            if name in changed and getattr(self, name) is not None:
                self._set(name, _names(name, getattr(self, name), n))
        if changed & {"ids", "shadow_ids"} and self.shadow_ids is not None:
            self._check_shadow_ids()
        if changed & {"shadow_out", "population_in", *ATTACHED}:
            self._check_attached(c)

    def _check_shadow_ids(self) -> None:
        names = np.unique(as_ids("shadow_ids", self.shadow_ids, distinct=False))
        self._set("shadow_ids", names)
        seen = np.intersect1d(names, self.names)
        if len(seen):
            raise InputError(
                f"shadow_out comes from models trained on {len(seen)} of the queried samples, among them "
                f"{str(seen[0])!r}; shadow models must not have seen what they are a reference for."
            )

    def _check_attached(self, c: int) -> None:
        for name in ATTACHED:
            attached = getattr(self, name)
            if attached is not None and not isinstance(attached, Signals):
                raise InputError(f"{name} is of type {type(attached).__name__}; a Signals record is wanted.")
            if attached is not None and attached.classes != c:
                raise InputError(f"{name} has {attached.classes} classes, the audited samples have {c}.")
        known = self.calibration
        if known is not None and self.shadows and known.shadows != self.shadows:
            raise InputError(
                f"calibration has {known.shadows} OUT shadows per sample, the audited samples have {self.shadows}; "
                "they must be as many, or the simulated deletions are no null for the audited ones."
            )
        if self.population_in is not None:
            if self.population is None:
                raise InputError("population_in is given without population.")
            shape = self.population.unlearned.shape
            self._set("population_in", _logits("population_in", self.population_in, shape, False))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        roles, counts = np.unique(self.roles, return_counts=True)
        groups = ", ".join(f"{n:,} {role}" for role, n in zip(roles.tolist(), counts.tolist(), strict=True))
        held = [f.name for f in dataclasses.fields(self) if f.init and getattr(self, f.name) is not None]
        more = [name for name in held if name not in ("labels", "unlearned", "role", "ids")]
        arrays = f"; with {', '.join(more)}" if more else ""
        return f"Signals({len(self):,} samples of {self.classes:,} classes: {groups}{arrays})"

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return int(self.unlearned.shape[1])

    @property
    def shadows(self) -> int:
        """S, the number of shadow models; 0 where there are none."""
        return 0 if self.shadow_out is None else len(self.shadow_out)

    @property
    def roles(self) -> NDArray[np.str_]:
        """[N] the role of every sample."""
        assert self.role is not None
        return self.role

    @property
    def names(self) -> NDArray[np.str_]:
        """[N] the id of every sample."""
        assert self.ids is not None
        return self.ids

    def require(self, field: str, measure: str) -> Any:
        """Return the array `field`, or raise `MissingArray`: which measure needs it and how to get it."""
        value = getattr(self, field)
        if value is None:
            raise MissingArray(f"{measure} needs `{field}`: {HOW_TO_GET[field]}.")
        return value

    def take(self, rows: NDArray[Any]) -> Signals:
        """Return the samples at `rows` (positions or a boolean mask); attached records stay as they are.

        Raises `InputError` for anything else, and where no sample is left.
        """
        rows = as_rows("rows", rows, len(self))
        if rows.dtype.kind != "b" and len(np.unique(rows)) < len(rows):
            as_ids("ids", self.names[rows])  # which names the one that appears twice
        labels = self.labels[rows]
        if not len(labels):
            raise InputError("There are no rows to take; at least one sample is wanted.")
        part = self._with_scaled(lambda _, values: values[..., rows])
        part._set("labels", labels)
        for name in ("unlearned", "original", "sensitivity", "role", "ids", "source", "cluster"):
            value = getattr(self, name)
            part._set(name, None if value is None else value[rows])
        for name in STACKS:
            value = getattr(self, name)
            part._set(name, None if value is None else value[:, rows])
        return part

    def of_role(self, role: str) -> Signals:
        """Return the samples of one role; raises `InputError` where there are none."""
        if role not in ROLES:
            raise InputError(unknown("role", role, ROLES))
        rows = np.flatnonzero(self.roles == role)
        if not len(rows):
            raise InputError(f"No sample has the role {role!r}.")
        return self.take(rows)

    def without(self, *fields: str) -> Signals:
        """Return the same record with optional `fields` removed."""
        return self.with_(**dict.fromkeys(fields))

    def with_(self, **fields: Any) -> Signals:
        """Return the same record with `fields` replaced; what is replaced is checked, alone and against the rest.

        Raises `InputError` for a name that is no field.
        """
        for name in fields:
            if name not in FIELDS:
                known = [field.name for field in dataclasses.fields(self) if field.init]
                raise InputError(unknown("field", name, known))
        changed: Set[str] = {name for name, value in fields.items() if value is not getattr(self, name)}
        stale = FIELDS if "labels" in changed else changed
        other = self._with_scaled(lambda field, values: None if field in stale else values)
        for name in changed:
            other._set(name, fields[name])
        if "unlearned" in changed:
            other._set("unlearned", _audited(other.unlearned))
            if other.unlearned.shape != self.unlearned.shape:
                changed = FIELDS
        other._check(changed)
        return other

    def with_shadows(self, models: NDArray[Any]) -> Signals:
        """Return the record with the shadow models at `models` only (positions or a mask), without calibration."""
        shadows = self.require("shadow_out", "with_shadows")[models]
        other = self._with_scaled(lambda field, values: values[models] if field == "shadow_out" else values)
        other._set("calibration", None)
        other._set("shadow_out", shadows)
        return other

    def remembering(self) -> Signals:
        """Return the same record, which keeps the scaled logits of each array once they are computed.

        So do its attached records, and what `take`, `with_` and `with_shadows` return. One number is kept where an
        array has C, until the record goes. Arrays that are changed in place are not noticed.
        """
        other = copy.copy(self)
        other._set("_scaled", {})
        for name in ATTACHED:
            if getattr(self, name) is not None:
                other._set(name, getattr(self, name).remembering())
        return other

    def scaled_logits(self, field: str, part: slice = slice(None), temperature: float = 1.0) -> Floats:
        """Return log(p / (1 - p)) of the true label under the models of `field`, in nats; larger = more fitted.

        Parameters
        ----------
        field : str
            "unlearned", "original", "shadow_out" or "retrained".
        part : slice
            Which samples.
        temperature : float
            By which the logits are divided first.

        Returns
        -------
        float [n], or [S, n] of a stack of models; read-only in a record that remembers.
        """
        logits = self.require(field, "scaled_logits")
        if self._scaled is None:
            return _scaled_logits(logits[..., part, :], self.labels[part], temperature)
        if (field, temperature) not in self._scaled:
            values = _scaled_logits(logits, self.labels, temperature)
            values.flags.writeable = False
            self._scaled[field, temperature] = values
        return self._scaled[field, temperature][..., part]

    def _with_scaled(self, change: Callable[[str, Floats], Floats | None]) -> Signals:
        """Return a copy whose scaled logits, where it has some, are what `change(field, values)` makes of them."""
        other = copy.copy(self)
        if self._scaled is not None:
            changed = {key: change(key[0], values) for key, values in self._scaled.items()}
            other._set("_scaled", {key: values for key, values in changed.items() if values is not None})
        return other

    def save(self, folder: Path | str, references: Path | None = None, *, apart: bool = False) -> Path:
        """Write the record to a folder: safetensors arrays, a Parquet table of rows, a manifest of hashes.

        apart       write `unlearned` to a file of its own, so that other records may share the rest
        references  a record that was saved so, and differs in `unlearned` alone: the rest gets a second name, and is
                    not written again
        """
        from vestige.signals import files

        return files.save(self, folder, references, apart=apart)

    @classmethod
    def load(cls, path: Path | str) -> Signals:
        """Read a folder that `save` wrote, or a user's `.npz`, `.csv` or `.parquet` file."""
        from vestige.files import as_path
        from vestige.signals import files

        return files.read(cls, as_path(path))

    def chunks(self, size: int = 65_536) -> Iterator[slice]:
        """Yield slices that cover the samples, so that memory does not grow with their number."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))


FIELDS = frozenset(field.name for field in dataclasses.fields(Signals) if field.init)


def _scaled_logits(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], temperature: float
) -> Floats:
    if logits.ndim == 3:
        return np.stack([_scaled_logits(layer, labels, temperature) for layer in logits])
    return scaled_logit(logits if temperature == 1 else logits / temperature, labels)


def _audited(value: ArrayLike) -> NDArray[np.floating[Any]]:
    logits = as_floats("unlearned", value)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise InputError(f"unlearned has shape {logits.shape}; [N, C] with at least two classes is wanted.")
    if not len(logits):
        raise InputError("unlearned has no rows; at least one sample is wanted.")
    _expect_logits("unlearned", logits)
    return logits


def _expect_logits(name: str, array: NDArray[Any]) -> None:
    if are_probabilities(array):
        raise InputError(
            f"{name} holds probabilities, rows of numbers from 0 to 1 that sum to 1; logits are wanted: take the "
            "logarithm, np.log(np.maximum(p, 1e-12))."
        )


def _logits(name: str, value: ArrayLike, shape: tuple[int, ...], stacked: bool) -> NDArray[np.floating[Any]]:
    array = as_floats(name, value)
    if stacked and array.ndim == 2:
        array = array[None]
    wanted = f"{'[any, ' if stacked else '['}{shape[0]}, {shape[1]}]"
    if array.ndim != 2 + stacked or array.shape[-2:] != shape or not len(array):
        raise InputError(f"{name} has shape {list(array.shape)}; {wanted} is wanted, as `unlearned` has.")
    if name != "sensitivity":
        for layer in array if stacked else [array]:
            _expect_logits(name, layer)
    return array


def _labels(value: ArrayLike, n: int, c: int) -> NDArray[np.int64]:
    labels = as_array("labels", value)
    if labels.shape != (n,):
        raise InputError(
            f"labels has shape {list(labels.shape)}; [{n}] is wanted, one per row of `unlearned`."
        )
    whole = labels.dtype.kind in "iu" or (
        labels.dtype.kind == "f" and bool((labels == np.round(labels)).all())
    )
    if not whole:
        raise InputError(f"labels has dtype {labels.dtype}; whole numbers 0..{c - 1} are wanted.")
    outside = ~((labels >= 0) & (labels < c))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(f"labels[{row}] is {labels[row]}; with {c} logits per sample 0..{c - 1} is allowed.")
    return labels.astype(np.int64)


def _roles(value: ArrayLike | None, n: int) -> NDArray[np.str_]:
    if value is None:
        return np.full(n, "forget")
    roles = as_array("role", value).astype(str)
    if roles.shape != (n,):
        raise InputError(f"role has shape {list(roles.shape)}; [{n}] is wanted, one per sample.")
    wrong = roles[~np.isin(roles, ROLES)]
    if len(wrong):
        raise InputError(unknown("role", str(wrong[0]), ROLES))
    return roles


def _names(field: str, value: ArrayLike, n: int) -> NDArray[np.str_]:
    names = as_ids(field, value, distinct=False)
    if names.shape != (n,):
        raise InputError(f"{field} has shape {list(names.shape)}; [{n}] is wanted, one per sample.")
    return names


def _ids(value: ArrayLike | None, n: int) -> NDArray[np.str_]:
    if value is None:
        return np.arange(n).astype(str)
    ids = as_ids("ids", value)
    if ids.shape != (n,):
        raise InputError(f"ids has shape {list(ids.shape)}; [{n}] is wanted, one per sample.")
    return ids
