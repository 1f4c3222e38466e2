"""`Signals`: everything that measuring reads, as arrays. Any framework can fill it; no model is in it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Hashable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, MissingArray, unknown
from vestige.signals.checks import ATTACHED, STACKS, check
from vestige.signals.fields import HOW_TO_GET, ROLES, audited
from vestige.signals.transforms import Floats, scaled_logit
from vestige.values import as_ids, as_rows, check_aligned

ROW_FIELDS = ("labels", "unlearned", "original", "sensitivity", "role", "ids", "source", "cluster", "group")


@dataclass(frozen=True, eq=False)
class Signals:
    """Outputs of the audited model and its references on N samples of C classes.

    Logits may be log-probabilities, never probabilities: `from_outputs` takes these and other outputs. Arrays are kept
    as they are given (float32 stays float32); measures compute in float64, in chunks. Ids are text, or integers, which
    become text by their digits. Raises `InputError` for shapes, labels, roles, ids or values that do not fit.

    Attributes
    ----------
    labels : int [N]
        True classes.
    unlearned : float [N, C]
        Logits of the model under audit.
    original : float [N, C]
        Logits of the model before unlearning.
    shadow_out : float [S, N, C]
        Logits of shadow models that never saw the N samples ([N, C] for one).
    shadow_fit : float [M]
        True-label confidence of shadow models on their own training data.
    retrained : float [R, N, C]
        Logits of exact retrains without the forget set ([N, C] for one).
    population : Signals or None
        Samples no audited model was trained on.
    population_in : float [Z, C]
        Logits on the population of a model that was trained on it.
    calibration : Signals or None
        Simulated deletions with known truth: role "forget" = the model in the place of `original` saw the
        sample and the one in the place of `unlearned` never did; role "retain" = both saw it.
    shadow_train : Signals or None
        The shadows' own training records, roles exchanged: `original` = the shadow that saw a record,
        `shadow_out` = as many models that did not, the original among them, `unlearned` = the audited model;
        see `exchanged_deletions`.
    sensitivity : float [N, C]
        How much each output of `unlearned` moves under small noise, per unit of noise.
    role : str [N]
        "forget", "retain" or "holdout"; all "forget" where not given.
    ids : str [N]
        Names of the samples; "0", "1", ... where not given.
    shadow_ids : str [...]
        Ids of samples that any shadow model was trained on, where known.
    source : str [N]
        Where a holdout sample comes from, such as "holdout" or "pool"; two sources check each other. Without
        it there is one.
    cluster : str [N]
        Which samples belong together, for example one person's; a verdict takes them as one.
    group : str [N]
        Which samples a verdict compares with each other, in place of `labels`: the true classes, where
        `labels` do not hold them.
    kind : str
        "logits"; "true_label": the probability of the true label alone is known, as two columns, its log-odds
        and 0, all labels 0; "labels": the same, of right or wrong.
    notes : tuple[str, ...]
        What was done to the outputs, and what they cannot show, for the limits of an audit.
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
    group: NDArray[np.str_] | None = None
    kind: str = "logits"
    notes: tuple[str, ...] = ()
    shadow_train: Signals | None = None
    _memory: dict[tuple[str, Hashable], Floats] | None = dataclasses.field(
        default=None, init=False, repr=False
    )

    def __post_init__(self) -> None:
        check_aligned(**{name: getattr(self, name) for name in (*ROW_FIELDS, *STACKS)})
        self._set("unlearned", audited(self.unlearned))
        check(self, FIELDS)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        more = [
            name for name in self._held if name not in ("labels", "unlearned", "role", "ids", "kind", "notes")
        ]
        arrays = f"; with {', '.join(more)}" if more else ""
        return f"Signals({len(self):,} samples {self.known}: {self._groups}{arrays})"

    def _repr_html_(self) -> str:
        from vestige.report.notebook import notebook_card

        values = {name: getattr(self, name) for name in self._held if name not in ("kind", "notes")}
        facts = [
            (
                name,
                repr(v) if isinstance(v, Signals) else f"{v.dtype} [{', '.join(f'{n:,}' for n in v.shape)}]",
            )
            for name, v in values.items()
        ]
        sentence = f"{len(self):,} samples {self.known}: {self._groups}."
        return notebook_card("Signals", sentence=sentence, facts=facts, lists={"Notes": self.notes})

    @property
    def _held(self) -> list[str]:
        return [f.name for f in dataclasses.fields(self) if f.init and getattr(self, f.name) is not None]

    @property
    def _groups(self) -> str:
        roles, counts = np.unique(self.roles, return_counts=True)
        return ", ".join(f"{n:,} {role}" for role, n in zip(roles.tolist(), counts.tolist(), strict=True))

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return int(self.unlearned.shape[1])

    @property
    def known(self) -> str:
        """What is known of each sample, in words."""
        of = {
            "true_label": "with the probability of the true label alone",
            "labels": "with right or wrong alone",
        }
        return of.get(self.kind, f"of {self.classes:,} classes")

    @property
    def strata(self) -> NDArray[np.int64]:
        """[N] which samples are compared with each other: the place of their `group`, else their label."""
        return self.labels if self.group is None else np.unique(self.group, return_inverse=True)[1]

    @property
    def correct(self) -> NDArray[np.bool_] | None:
        """[N] is the true label the predicted one, under `unlearned`? None where only its probability is known."""
        if self.kind == "true_label":
            return None
        return np.asarray(self.unlearned.argmax(axis=1) == self.labels)

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
        part = self._with_memory(lambda field, what, values: values[..., rows])
        part._set("labels", labels)
        for name in ROW_FIELDS[1:]:
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

        A new `unlearned` leaves `shadow_train` out, which holds outputs of the model under audit too, unless a new one
        is given beside it.

        Raises `InputError` for a name that is no field.
        """
        for name in fields:
            if name not in FIELDS:
                known = [field.name for field in dataclasses.fields(self) if field.init]
                raise InputError(unknown("field", name, known))
        if "unlearned" in fields and fields["unlearned"] is not self.unlearned:
            fields.setdefault("shadow_train", None)
        changed: Set[str] = {name for name, value in fields.items() if value is not getattr(self, name)}
        stale = FIELDS if "labels" in changed else changed
        other = self._with_memory(lambda field, what, values: None if field in stale else values)
        for name in changed:
            other._set(name, fields[name])
        if "unlearned" in changed:
            other._set("unlearned", audited(other.unlearned))
            if other.unlearned.shape != self.unlearned.shape:
                changed = FIELDS
        check(other, changed)
        return other

    def with_shadows(self, models: NDArray[Any]) -> Signals:
        """Return the record with the shadow models at `models` only (positions or a mask), without what calibrates."""
        models = as_rows("models", models, self.shadows)
        if models.dtype.kind == "b":
            models = np.flatnonzero(models)
        if not len(models) or len(np.unique(models)) < len(models):
            raise InputError("models names no shadow model, or one twice; at least one is wanted, each once.")
        shadows = self.require("shadow_out", "with_shadows")[models]

        def fewer(field: str, what: Hashable, values: Floats) -> Floats | None:
            if field != "shadow_out":
                return values
            return values[models] if isinstance(what, float) else None  # else it is of all of them together

        other = self._with_memory(fewer)
        for name in ("calibration", "shadow_train"):
            other._set(name, None)
        other._set("shadow_out", shadows)
        return other

    def remembering(self) -> Signals:
        """Return the same record, which keeps the scaled logits of each array once they are computed.

        So do its attached records, and what `take`, `with_` and `with_shadows` return. One number is kept where an
        array has C, until the record goes, and what `remembered` is asked for. Arrays that are changed in place are
        not noticed.
        """
        other = copy.copy(self)
        other._set("_memory", {})
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
        if self._memory is None:
            return _scaled_logits(logits[..., part, :], self.labels[part], temperature)
        every = self.remembered(
            field, float(temperature), lambda: _scaled_logits(logits, self.labels, temperature)
        )
        return every[..., part]

    def remembered(self, field: str, what: Hashable, compute: Callable[[], Floats]) -> Floats:
        """Return `compute()`; in a record that remembers it is called once, and what it returned is read-only.

        Parameters
        ----------
        field : str
            Of which array it is, beside labels; where that is replaced it is computed again.
        what : float or other
            What it is of it. A float stands for the scaled logits, [N] or [S, N], at a temperature; anything else for
            numbers [..., N] of all models together.
        compute : Callable
        """
        if self._memory is None:
            return compute()
        if (field, what) not in self._memory:
            values = compute()
            values.flags.writeable = False
            self._memory[field, what] = values
        return self._memory[field, what]

    def _with_memory(self, change: Callable[[str, Hashable, Floats], Floats | None]) -> Signals:
        """Return a copy that remembers, where this one does, what `change(field, what, values)` makes of it."""
        other = copy.copy(self)
        if self._memory is not None:
            changed = {key: change(*key, values) for key, values in self._memory.items()}
            other._set("_memory", {key: values for key, values in changed.items() if values is not None})
        return other

    @classmethod
    def from_outputs(
        cls,
        kind: str,
        truth: Any,
        *,
        unlearned: Any,
        original: Any = None,
        shadow_out: Any = None,
        retrained: Any = None,
        scale: Any = None,
        **rest: Any,
    ) -> Signals:
        """Build the record from outputs of any kind, see `vestige.signals.kinds`.

        Parameters
        ----------
        kind : str
            "logits", "log_probabilities", "probabilities", "labels", "losses", "predictions" or "multilabel".
        truth : array [N], or of the shape of the outputs
            The true class of each record; the targets of predictions; 0 and 1 for each label of multilabel. Of losses
            the true classes where known, or None: a verdict then compares records within them.
        unlearned, original : array or Outputs
            Of the model under audit and of the one before it: [N, C], or [N] where there is one number a record.
        shadow_out, retrained : array, list of arrays, or list of Outputs
            Of several models one behind the other, [S, N, C], or of one.
        scale : float or float [D], optional
            Of the residuals of predictions; default: that of the audited model on the holdout records.
        rest
            The other fields: role, ids, source, cluster, population, ...

        Returns
        -------
        Signals
            Its `notes` say what was clipped and scaled, and what this kind of outputs cannot show.

        Raises
        ------
        InputError
            Where outputs do not fit their kind, or each other.

        Examples
        --------
        >>> import vestige
        >>> vestige.Signals.from_outputs("probabilities", [0, 1], unlearned=[0.25, 0.75])
        Signals(2 samples of 2 classes: 2 forget)
        """
        from vestige.signals.from_outputs import signals_of

        return signals_of(
            cls, kind, truth, unlearned=unlearned, original=original, shadow_out=shadow_out, retrained=retrained,
            scale=scale, **rest,
        )  # fmt: skip

    def save(self, folder: Path | str, references: Path | None = None, *, apart: bool = False) -> Path:
        """Write the record to a folder: safetensors arrays, a Parquet table of rows, a manifest of hashes.

        Parameters
        ----------
        apart : bool
            Write `unlearned` to a file of its own, so that other records may share the rest.
        references : Path or None
            A record that was saved so, and differs in `unlearned` alone: the rest gets a second name, and is
            not written again.
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
