"""The steps that every plan shares: a model, what it says, what audits share, and the audits.

A model comes from a network on a data set, or from a system of the user's; these steps ask it without knowing which.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vestige.data.source import Truth
from vestige.errors import InputError
from vestige.evaluation import Audit, Metric, audit_signals
from vestige.evaluation.features import Probed, probe_margins
from vestige.experiments.settings import AuditConfig
from vestige.files import read_safetensors
from vestige.graph.step import Facts, Job, Step
from vestige.signals import Signals, exchanged_deletions, simulated_deletions
from vestige.signals.kinds import OF_CLASSES, Outputs, kind_of_signals
from vestige.signals.reading import Reading
from vestige.signals.transforms import confidence

Values = NDArray[np.floating[Any]]
PROBED = "probed"
"""The group of records of which features are read, by a linear probe: its margins are kept, not the features."""


class Rows(Protocol):
    """Some records, in an order; named by their content."""

    @property
    def key(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def truth(self, root: str | None = None) -> Truth: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelStep(Step):
    """A step whose result is a model."""

    network: ClassVar[bool] = True

    def ask(self, job: Job) -> Callable[[Any], Outputs]:
        """Return the model as a function: from records to what it says about them."""
        raise NotImplementedError

    def represent(self, job: Job) -> Callable[[Any], Values | None]:
        """Return the model as a function: from records to its features of them, or None where it has none."""
        return lambda rows: None


@dataclass(frozen=True, eq=False, kw_only=True)
class Collect(Step):
    """Collect what a model says about named groups of records, and what a linear probe reads of the group "probed"."""

    model: ModelStep
    groups: Mapping[str, Rows]

    network: ClassVar[bool] = True

    def make(self, job: Job) -> Facts:
        ask = self.model.ask(job)
        answers = {name: ask(rows) for name, rows in self.groups.items() if name != PROBED}
        arrays = {name: np.ascontiguousarray(each.values) for name, each in answers.items()}
        kind = next(iter(answers.values())).kind
        if PROBED in self.groups:
            arrays |= self._probed(job, self.groups[PROBED], kind)
        save_file(arrays, job.path)
        return {"kind": kind}

    def _probed(self, job: Job, rows: Rows, kind: str) -> dict[str, Values]:
        """Return what a linear probe reads from the model's features; nothing where it has none."""
        features = self.model.represent(job)(rows)
        if features is None:
            return {}
        truth = rows.truth(job.environment.root)
        labels = np.asarray(truth.values) if kind in OF_CLASSES else None
        return {PROBED: probe_margins(features, labels, truth.ids)}

    def read(self, job: Job) -> dict[str, Values]:
        """Return what the model says of each group, for a step that reads it."""
        return read_safetensors(job.file(self))

    def probed(self, job: Job) -> NDArray[np.float64] | None:
        """Return what a linear probe read from the model's features, as `read`; None where it has none."""
        values = self.read(job).get(PROBED)
        return None if values is None else values.astype(np.float64)

    @property
    def size(self) -> float:
        return 400.0 * sum(len(rows) for rows in self.groups.values())

    @property
    def alike(self) -> str:
        return f"{self.kind} {self.model.alike}"


@dataclass(frozen=True, eq=False, kw_only=True)
class References(Step):
    """Gather what the audits of all methods share; the result is a folder of signals, with the original as the audited.

    Attributes
    ----------
    audited : Samples
        The records that are asked about, of each model in the group "audited".
    sources : array of text
        Where each of them comes from: "forget", "retain", "holdout", "pool".
    pool : Samples
        The records that shadows are trained on, in the group "pool" of each shadow.
    members : bool [S, P]
        Which shadow is trained on which record of the pool.
    exchanged : array of int64
        Places in the pool of records, in the group "exchanged" of the original and of each audited model,
        that calibrate with the roles of original and shadow exchanged; may be none.
    simulated : bool
        Do shadows give up some of their number for simulated deletions?
    retrained : tuple[Collect, ...]
        Models of exact methods.
    """

    original: Collect
    shadows: tuple[Collect, ...]
    retrained: tuple[Collect, ...]
    audited: Rows
    sources: NDArray[np.str_]
    pool: Rows
    members: NDArray[np.bool_]
    exchanged: NDArray[np.int64]
    simulated: bool
    seed: int

    suffix: ClassVar[str] = ""

    def make(self, job: Job) -> Facts:
        root = job.environment.root
        truth, answers = self.audited.truth(root), self.original.read(job)["audited"]
        reading = self._reading(job, truth, answers)
        shadows = [shadow.read(job) for shadow in self.shadows]
        fields: dict[str, Any] = {
            "ids": truth.ids, "cluster": truth.cluster, "source": self.sources, "scale": reading.scale,
            "floor": reading.floor,
            "role": np.where(self.sources == "pool", "holdout", self.sources),
            "retrained": [exact.read(job)["audited"] for exact in self.retrained] or None,
        }  # fmt: skip
        if shadows:
            pool = self.pool.truth(root)
            inside = [reading.logits(shadow["pool"], pool.values) for shadow in shadows]
            fields |= shadow_fields(
                reading.labels(pool.values), pool.ids, self.members, inside,
                [shadow["audited"] for shadow in shadows], simulate=self.simulated, seed=self.seed,
                kind=kind_of_signals(reading.kind),
            )  # fmt: skip
        signals = Signals.from_outputs(
            reading.kind, truth.values, unlearned=answers, original=answers, **fields
        )
        if len(self.exchanged):
            signals = signals.with_(shadow_train=self._exchanged(reading, pool, inside, job))
        signals.save(job.path, apart=True)
        return {"reading": dataclasses.asdict(reading)}

    def _exchanged(self, reading: Reading, pool: Truth, inside: Sequence[Values], job: Job) -> Signals:
        """Return the shadows' training records with the roles exchanged, with the original as the audited."""
        at = self.exchanged
        truth = pool.values[at]
        original = reading.logits(self.original.read(job)["exchanged"], truth)
        return exchanged_deletions(
            reading.labels(truth), np.stack([each[at] for each in inside]), self.members[:, at], original, original,
            ids=pool.ids[at], kind=kind_of_signals(reading.kind),
        )  # fmt: skip

    def reading(self, job: Job) -> Reading:
        """Return how outputs are read, for a step that comes after."""
        return Reading(**job.record(self)["reading"])

    def _reading(self, job: Job, truth: Truth, answers: Values) -> Reading:
        """Return how all outputs are read: in one unit, taken of the original on records that it never saw."""
        never = np.isin(self.sources, ("holdout", "pool"))
        kind = job.record(self.original)["kind"]
        return Reading.of(Outputs(answers[never], kind), truth.values[never])

    @property
    def size(self) -> float:
        return (2 + len(self.shadows)) * self.original.size


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditMethod(Step):
    """Audit one method's model; the result is the folder of the audit.

    Attributes
    ----------
    limits : tuple[str, ...]
        What its report says besides of what it cannot know.
    """

    title: str
    unlearned: Collect
    references: References
    config: AuditConfig
    limits: tuple[str, ...] = ()

    suffix: ClassVar[str] = ""

    def make(self, job: Job) -> None:
        result = self.audited(job)
        result = dataclasses.replace(result, figures=(*result.figures, *self._cost(job)))
        result.write(job.path, job.file(self.references))

    @property
    def described(self) -> bool:
        """Are figures computed beside scores and verdict?"""
        return True

    def audited(self, job: Job) -> Audit:
        """Return the audit of the signals, with what the plan knows of its limits."""
        config = self.config
        with named(self.title):
            result = audit_signals(
                self.signals(job), config.measures, name=self.title, preset=config.preset, alpha=config.alpha,
                tolerance=config.tolerance, features=self.features(job), describe=self.described,
            )  # fmt: skip
        return dataclasses.replace(result, limits=(*result.limits, *self.limits))

    def signals(self, job: Job) -> Signals:
        """Return what the audited model says, beside what all others do."""
        reading = self.references.reading(job)
        truth = self.references.audited.truth(job.environment.root)
        answers, references = self.unlearned.read(job), Signals.load(job.file(self.references))
        fields: dict[str, Any] = {
            "unlearned": reading.logits(answers["audited"], truth.values),
            "notes": (*references.notes, *reading.notes(answers["audited"])),
        }
        if references.shadow_train is not None:
            values = self.references.pool.truth(job.environment.root).values[self.references.exchanged]
            own = reading.logits(answers["exchanged"], values)
            fields["shadow_train"] = references.shadow_train.with_(unlearned=own)
        return references.with_(**fields)

    def features(self, job: Job) -> Probed | None:
        """Return what probes read from features of the audited model and of the references; None: there are none."""
        rows, own = self.unlearned.groups.get(PROBED), self.unlearned.probed(job)
        if rows is None or own is None:
            return None

        def of(steps: Sequence[Collect]) -> tuple[NDArray[np.float64], ...]:
            return tuple(values for step in steps if (values := step.probed(job)) is not None)

        exact = [step for step in self.references.retrained if step is not self.unlearned]
        ids = rows.truth(job.environment.root).ids
        return Probed(ids, own, of(self.references.shadows), of(exact), self.references.original.probed(job))

    def _cost(self, job: Job) -> tuple[Metric, Metric]:
        facts = job.record(self.unlearned.model)
        n, epochs = int((self.references.sources == "forget").sum()), facts["retrain_epochs"]
        return (
            Metric(
                "model", "run_time", "wall-clock seconds of the unlearning, without evaluation",
                facts["unlearn_seconds"], "smaller is cheaper", (0.0, None), n=n,
            ),
            Metric(
                "model", "cost", "sample passes of the unlearning, in passes over the retained samples",
                epochs, "smaller is cheaper", (0.0, None), n=n,
                reason="the system does not count its passes" if epochs is None else None,
            ),
        )  # fmt: skip


def shadow_fields(
    labels: NDArray[np.int64],
    ids: NDArray[np.str_],
    members: NDArray[np.bool_],
    inside: Sequence[Values],
    audited: Sequence[Values],
    *,
    simulate: bool,
    seed: int,
    chosen: Sequence[int] | None = None,
    out: int | None = None,
    kind: str = "logits",
) -> dict[str, Any]:
    """Return the fields of `Signals` that shadow models give.

    Parameters
    ----------
    labels : int64 [P]
        Of the records that they are trained on, some each: `members` [S, P]; `ids` [P] name them.
    inside : Sequence[Values]
        Of each shadow [P, C], its logits on the pool.
    audited : Sequence[Values]
        Of each shadow, its outputs on the audited records.
    simulate : bool
        Make simulated deletions, which take three shadows at least; the audited records get all but two at most.
    chosen : Sequence[int] or None
        The shadows that a measure is given, default: all; simulated deletions use all.
    out : int or None
        How many of them a simulated deletion has that never saw the sample; see `simulated_deletions`.
    kind : str
        Of the signals.
    """
    which = range(len(members)) if chosen is None else chosen
    fits = [confidence(inside[k][members[k]], labels[members[k]]) for k in which]
    fields: dict[str, Any] = {
        "shadow_out": [audited[k] for k in which], "shadow_fit": np.concatenate(fits),
        "shadow_ids": ids[members.any(axis=0)],
    }  # fmt: skip
    if simulate:
        known = simulated_deletions(labels, np.stack(inside), members, ids=ids, out=out, seed=seed, kind=kind)
        fields |= {"calibration": known, "shadow_out": fields["shadow_out"][: known.shadows]}
    return fields


@contextlib.contextmanager
def named(title: str) -> Iterator[None]:
    """Let an `InputError` say which method it is about."""
    try:
        yield
    except InputError as error:
        if str(error).startswith(f"{title}: "):
            raise
        raise InputError(f"{title}: {error}") from error
