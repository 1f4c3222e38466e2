"""`System`: what is audited, behind three questions. Which records are there, how is a model fitted, what does it say?

Everything else (requests, shadow models, exact retraining, audits) is built on these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vestige.data.source import Truth
from vestige.errors import InputError
from vestige.signals.kinds import Outputs
from vestige.store import array_hash, key_of
from vestige.values import as_array, as_ids, as_rows, id_list

Positions = NDArray[np.int64]
PROBE = 2_000
"""Records by whose outputs a model is told from another."""


@dataclass(frozen=True, eq=False)
class Records:
    """The records that a system knows: those that the original was trained on, and others that it never saw.

    Attributes
    ----------
    ids : text [N]
        Unique names, as they are written where the records come from.
    labels : int64 [N] or None
        Classes, 0 to C - 1, where it is classification.
    classes : tuple of text
        Their names, in the order of the outputs' columns; empty where there are none.
    targets : float [N] or [N, D], or None
        What a regression predicts, or the 0 and 1 of several labels.
    cluster : text [N] or None
        Which records belong together, such as one person's; a verdict takes them as one.

    Raises
    ------
    InputError
        For ids that are missing or repeated, arrays of other lengths, labels outside the classes, and where there are
        both labels and targets, or neither.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    targets: NDArray[Any] | None = None
    cluster: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", as_ids("ids", self.ids))
        object.__setattr__(self, "classes", tuple(str(name) for name in self.classes))
        if (self.labels is None) == (self.targets is None):
            raise InputError(
                "Records have labels (classification), or targets (regression): give one of them."
            )
        if self.labels is not None:
            object.__setattr__(self, "labels", self._checked_labels(self.labels))
        else:
            targets = as_array("targets", self.targets)
            if targets.dtype.kind not in "fiub" or not np.isfinite(targets).all():
                raise InputError("targets hold what is no finite number; a number a record is wanted.")
            object.__setattr__(self, "targets", targets)
        if self.cluster is not None:
            object.__setattr__(self, "cluster", as_ids("cluster", self.cluster, distinct=False))
        for name in ("labels", "targets", "cluster"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.ids):
                raise InputError(
                    f"There are {len(self.ids)} ids and {len(value)} {name}; they must be as many."
                )

    def _checked_labels(self, value: Any) -> NDArray[np.int64]:
        labels = as_array("labels", value)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise InputError(
                f"labels are {labels.dtype} of shape {list(labels.shape)}; places of classes, integers [N], are "
                "wanted."
            )
        outside = labels[(labels < 0) | (labels >= len(self.classes))]
        if len(outside):
            raise InputError(f"The label {outside[0]} is none of the {len(self.classes)} classes.")
        return labels.astype(np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def truth(self) -> NDArray[Any]:
        """[N] labels, or [N] or [N, D] targets."""
        return np.asarray(self.targets if self.labels is None else self.labels)

    def take(self, rows: Positions) -> Truth:
        """Return what is known of the records at `rows`."""
        cluster = None if self.cluster is None else self.cluster[rows]
        return Truth(self.ids[rows], self.truth[rows], cluster)

    def positions(self, ids: Iterable[str], what: str = "ids", seen: Positions | None = None) -> Positions:
        """Return where `ids` are, in their order.

        Parameters
        ----------
        what : str
            Is named, for messages.
        seen : int64 [n] or None
            Those of the records that a message counts: what a model was trained on; None: all.

        Raises
        ------
        InputError
            For an id that is unknown, repeated, missing or a float, and for one text, not a list.
        """
        wanted = id_list(what, ids).tolist()
        unknown = [name for name in wanted if name not in self._places]
        if unknown:
            own, which = (self.ids, "") if seen is None else (self.ids[seen], " that the original saw")
            like = f"; they look like {str(own[0])!r}" if len(own) else ""
            more = f" and {len(unknown) - 1:,} more are" if len(unknown) > 1 else " is"
            raise InputError(f"{what}: {unknown[0]!r}{more} not among the {len(own):,} records{which}{like}.")
        return np.array([self._places[name] for name in wanted], dtype=np.int64)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.ids.tolist())}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids and truth."""
        return array_hash(self.ids, np.ascontiguousarray(self.truth))


class System:
    """What is audited; the base of the built-in systems, and of the user's own.

    A subclass sets the first two attributes and writes `fit` and `outputs`. Systems that keep no state but their
    records and settings need nothing else; `save` and `load` are wanted where a model is no `torch.nn.Module` and no
    scikit-learn estimator.

    Attributes
    ----------
    name : str
        What it is called in reports.
    records : Records
        All records: what the original was trained on, and what it never saw.
    seen : int64 [n]
        Positions of the records that the original was trained on: its training manifest. Those of a request are among
        them; all others are never-seen ones, which a verdict is calibrated on.
    original : object or None
        The model that is in use. None: it is fitted on `seen`.
    notes : tuple of str
        What was guessed, converted or clipped on the way, in sentences that every report repeats.

    Examples
    --------
    >>> import numpy as np, vestige
    >>> from vestige.systems import Outputs, Records, System
    >>> class Nearest(System):
    ...     name = "nearest mean"
    ...     def __init__(self, x, y):
    ...         self.x, self.seen = x, np.arange(len(y) // 2)
    ...         self.records = Records(np.arange(len(y)).astype(str), y, ("no", "yes"))
    ...     def fit(self, rows, seed):
    ...         y = self.records.labels[rows]
    ...         return np.array([self.x[rows][y == k].mean(axis=0) for k in (0, 1)])
    ...     def outputs(self, model, rows):
    ...         return Outputs(-((self.x[rows, None] - model) ** 2).sum(axis=2), "logits")
    ...     def save(self, model, folder):
    ...         np.save(folder / "means.npy", model)
    ...     def load(self, folder):
    ...         return np.load(folder / "means.npy")
    >>> x = np.random.default_rng(0).normal(size=(600, 3))
    >>> answer = vestige.forget(Nearest(x, (x[:, 0] > 0).astype(int)), ids=["3", "14", "15"])
    >>> answer.verdict.outcome in ("unlearned", "undecided")
    True
    """

    name: str = "system"
    records: Records
    seen: Positions
    original: Any = None
    notes: tuple[str, ...] = ()

    def fit(self, rows: Positions, seed: int) -> Any:
        """Train a model on the records at `rows`, in the way the original was trained; preprocessing included.

        Parameters
        ----------
        rows : int64 [n]
            Positions in `records`. The model must see no other record.
        seed : int
            Of everything random.
        """
        raise InputError(f"{type(self).__name__} does not say how a model is fitted; write fit(rows, seed).")

    def outputs(self, model: Any, rows: Positions) -> Outputs:
        """Return what a model says about the records at `rows`; it leaves the model as it is."""
        raise InputError(
            f"{type(self).__name__} does not say what a model answers; write outputs(model, rows)."
        )

    def features(self, rows: Positions) -> Any:
        """Return what the records at `rows` hold, for `vestige.data.find_copies`; None where it cannot be shown.

        A DataFrame, an array [n, ...], or a list of texts. Copies of a forgotten record that stay in the training set
        keep what such a record taught.
        """
        return None

    def representations(self, model: Any, rows: Positions) -> NDArray[Any] | None:
        """Return features [n, D] of some records, such as what the last layer of a model reads; None: it has none.

        An audit compares what they hold of a request with what those of models hold that never saw it. They leave the
        model as it is.
        """
        return None

    def unlearn(
        self, method: str, model: Any, forget: Positions, retain: Positions, *, seed: int, **options: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return a model without the influence of `forget`, by another way than retraining, and facts of its cost.

        Raises `InputError` where the system knows no other way.
        """
        raise InputError(f"{method!r} was asked for. {ways(self.name)}")

    def expect_method(self, method: str) -> None:
        """Raise `InputError` for a way to forget that the system does not know, before any work."""
        if type(self).unlearn is System.unlearn:
            raise InputError(f"{method!r} was asked for. {ways(self.name)}")

    def save(self, model: Any, folder: Path) -> None:
        """Write a model to an empty folder."""
        raise InputError(
            f"{type(self).__name__} does not say how a model is kept; write save(model, folder) and load(folder)."
        )

    def load(self, folder: Path) -> Any:
        """Return the model that `save` wrote."""
        raise InputError(
            f"{type(self).__name__} does not say how a model is read; write save(model, folder) and load(folder)."
        )

    def fingerprint(self) -> str:
        """Return what decides a result beside the rows and the seed: data, code and settings, as a hash.

        The base knows the records' ids and truth alone; a system whose features or settings may change says so here.
        """
        return key_of(self.name, self.records.fingerprint)


def ways(name: str, methods: Iterable[str] = ()) -> str:
    """Return the sentence that says which ways to forget a system knows: retraining, and these methods."""
    others = [repr(method) for method in methods if method != "retrain"]
    if not others:
        return f"{name} knows one way to forget: how='retrain'."
    return f"{name} knows these ways to forget: how='retrain', {', '.join(others)}."


def probe(count: int, most: int = PROBE) -> Positions:
    """Return some of so many positions, the same each time: what is looked at where all would take too long."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def fingerprint_of(system: System) -> str:
    """Return the hash of a system: what it says itself, who the original saw, and what the original answers."""
    parts = [system.fingerprint(), system.records.fingerprint, array_hash(system.seen)]
    if system.original is not None:
        rows = probe(len(system.records))
        parts.append(array_hash(np.ascontiguousarray(system.outputs(system.original, rows).values)))
    return key_of(*parts)


def expect_system(value: Any, where: str = "system") -> System:
    """Return a system as it is; one that is no `System` but has all of its parts is as good.

    Raises `InputError` where a part is missing or wrong, by its name.
    """
    wanted = ("name", "records", "seen", "fit", "outputs", "save", "load")
    missing = [part for part in wanted if not hasattr(value, part)]
    if missing:
        raise InputError(
            f"{where} is of type {type(value).__name__} and has no {', '.join(missing)}; a vestige.systems.System is "
            "wanted."
        )
    if not isinstance(value.records, Records):
        raise InputError(f"{where}.records is of type {type(value.records).__name__}; Records are wanted.")
    value.seen = as_rows(f"{where}.seen", value.seen, len(value.records)).astype(np.int64)
    if len(np.unique(value.seen)) < len(value.seen):
        raise InputError(f"{where}.seen names a record twice.")
    return cast(System, value)


def ask(system: System, model: Any, rows: Positions) -> Outputs:
    """Return what a model says about some records, after a look at whether it is one answer a record.

    Raises `InputError` where a system answers with anything else than `Outputs` of as many records.
    """
    answer = system.outputs(model, rows)
    if not isinstance(answer, Outputs):
        raise InputError(
            f"{system.name}: outputs() returns {type(answer).__name__}; Outputs(values, kind) are wanted."
        )
    if len(answer) != len(rows):
        raise InputError(
            f"{system.name}: outputs() answers {len(answer)} of {len(rows)} records; all are wanted."
        )
    return answer


def gives_representations(system: Any) -> bool:
    """Does the system say how features are read?"""
    method = getattr(type(system), "representations", None)
    return method is not None and method is not System.representations


def represent(system: Any, model: Any, rows: Positions) -> NDArray[np.float32] | None:
    """Return features [n, D] of some records, after a look at them; None where the system has none.

    Raises `InputError` where they are not one row of finite numbers a record.
    """
    values = system.representations(model, rows)
    if values is None:
        return None
    array = as_array(f"{system.name}: representations()", values)
    if array.ndim != 2 or len(array) != len(rows) or array.dtype.kind not in "fiu":
        raise InputError(
            f"{system.name}: representations() returns {array.dtype} of shape {list(array.shape)}; numbers of shape "
            f"[{len(rows)}, D] are wanted."
        )
    if not np.isfinite(array).all():
        raise InputError(f"{system.name}: representations() returns a NaN or infinite number.")
    return array.astype(np.float32)
