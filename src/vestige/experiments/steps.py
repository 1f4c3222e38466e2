"""The steps of samples: train a network, unlearn from it, collect what it says, audit that.

Runs and tables are plans of these same steps, so that one network is trained once, whoever asks for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vestige.data import Dataset
from vestige.data.source import Parts, Samples, Source
from vestige.errors import InputError
from vestige.evaluation import Metric, audit
from vestige.experiments.config import AuditConfig
from vestige.files import read_safetensors
from vestige.graph.step import UNNAMED, Facts, Job, Step
from vestige.models import ModelConfig, build_model
from vestige.signals import Signals, collect_logits, simulated_deletions
from vestige.signals.transforms import confidence
from vestige.training import Recipe, load_model, train, train_sparse, write_weights
from vestige.unlearning import MethodConfig, unlearn

Logits = NDArray[np.float32]


def fresh(model: ModelConfig, source: Source, seed: int) -> Any:
    """Build a network for the samples of a source."""
    return build_model(model.name, source.shape, source.classes, seed=seed, **model.options)


def _weight_bytes(model: ModelConfig) -> float:
    return 50e6 if "resnet" in model.name else 5e6


def _alike(step: Step, model: ModelConfig, source: Source) -> str:
    data = "" if source.config is None else source.config.name
    return f"{step.kind} {model.name} {data}".strip()


@dataclass(frozen=True, eq=False, kw_only=True)
class Train(Step):
    """Train one network; `begin` is the network that it goes on from, where it does not begin anew."""

    samples: Samples
    model: ModelConfig
    recipe: Recipe
    begin: Train | None = None

    network: ClassVar[bool] = True

    def make(self, job: Job) -> Facts:
        rows, environment = self.samples.load(job.environment.root), job.environment
        network = fresh(self.model, self.samples.source, self.recipe.seed)
        if self.begin is not None:
            load_model(job.file(self.begin), network)
        options: dict[str, Any] = {"device": environment.device, "progress": environment.progress}
        if self.model.sparsity:
            trained = train_sparse(network, rows, self.recipe, self.model.sparsity, **options)
        else:
            trained = train(network, rows, self.recipe, checkpoint=job.unfinished, **options)
        write_weights(job.path, trained.model)
        return {"train_seconds": trained.seconds, "epochs": trained.epochs, "final_loss": trained.loss[-1]}

    @property
    def size(self) -> float:
        return _weight_bytes(self.model)

    @property
    def alike(self) -> str:
        return _alike(self, self.model, self.samples.source)


@dataclass(frozen=True, eq=False, kw_only=True)
class Unlearn(Step):
    """Run one unlearning method on an original; `title` names it in messages."""

    original: Train
    parts: Parts
    model: ModelConfig
    recipe: Recipe
    method: MethodConfig
    seed: int
    title: str = field(default="", metadata=UNNAMED)

    network: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.method.title)
        object.__setattr__(self, "method", self.method.model_copy(update={"label": None}))

    def make(self, job: Job) -> Facts:
        environment, method = job.environment, self.method
        original = load_model(job.file(self.original), fresh(self.model, self.parts.source, 0))
        with named(self.title):
            result = unlearn(
                method.name, original, self.parts.load(environment.root), preset=method.preset,
                recipe=self.recipe, seed=self.seed, device=environment.device, progress=environment.progress,
                max_epochs=method.max_epochs, max_seconds=method.max_seconds, **method.options,
            )  # fmt: skip
        write_weights(job.path, result.model)
        return {
            "unlearn_seconds": result.seconds, "method": method.name, "options": result.options,
            "retrain_epochs": result.epochs, "gradient_steps": result.gradient_steps, "stopped": result.stopped,
            "decided": result.decided,
        }  # fmt: skip

    @property
    def size(self) -> float:
        return _weight_bytes(self.model)

    @property
    def alike(self) -> str:
        return f"{_alike(self, self.model, self.parts.source)} {self.method.name}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Outputs(Step):
    """Collect a network's logits on named groups of samples."""

    trained: Train | Unlearn
    model: ModelConfig
    groups: Mapping[str, Samples]

    network: ClassVar[bool] = True

    def make(self, job: Job) -> None:
        source = next(iter(self.groups.values())).source
        model = load_model(job.file(self.trained), fresh(self.model, source, 0))
        root = job.environment.root
        save_file(
            {name: collect_logits(model, samples.load(root)) for name, samples in self.groups.items()},
            job.path,
        )

    def read(self, job: Job) -> dict[str, Logits]:
        """Return the logits of each group, for a step that reads them."""
        return read_safetensors(job.file(self))

    @property
    def size(self) -> float:
        return 400.0 * sum(len(samples) for samples in self.groups.values())

    @property
    def alike(self) -> str:
        return _alike(self, self.model, next(iter(self.groups.values())).source)


@dataclass(frozen=True, eq=False, kw_only=True)
class References(Step):
    """Gather what the audits of all methods share; the result is a folder of signals, with the original as the audited.

    audited    the samples that are asked about, of each network in the group "audited"
    sources    where each of them comes from: "forget", "retain", "holdout", "pool"
    pool       the samples that shadows are trained on, in the group "pool" of each shadow
    members    [S, P] which shadow is trained on which sample of the pool
    retrained  networks of exact methods
    """

    original: Outputs
    shadows: tuple[Outputs, ...]
    retrained: tuple[Outputs, ...]
    audited: Samples
    sources: NDArray[np.str_]
    pool: Samples
    members: NDArray[np.bool_]
    seed: int

    suffix: ClassVar[str] = ""

    def make(self, job: Job) -> None:
        rows, original = self.audited.load(job.environment.root), self.original.read(job)["audited"]
        fields: dict[str, Any] = {
            "labels": rows.y, "ids": rows.ids, "source": self.sources, "original": original,
            "role": np.where(self.sources == "pool", "holdout", self.sources),
        }  # fmt: skip
        if self.shadows:
            outputs = [shadow.read(job) for shadow in self.shadows]
            fields |= shadow_fields(
                self.pool.load(job.environment.root), self.members, [each["pool"] for each in outputs],
                [each["audited"] for each in outputs], seed=self.seed,
            )  # fmt: skip
        if self.retrained:
            fields["retrained"] = np.stack([exact.read(job)["audited"] for exact in self.retrained])
        Signals(unlearned=original, **fields).save(job.path, apart=True)

    @property
    def size(self) -> float:
        return (2 + len(self.shadows)) * self.original.size


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditMethod(Step):
    """Audit one method's network; the result is the folder of the audit."""

    title: str
    unlearned: Outputs
    references: References
    config: AuditConfig

    suffix: ClassVar[str] = ""

    def make(self, job: Job) -> None:
        config, shared = self.config, job.file(self.references)
        signals = Signals.load(shared).with_(unlearned=self.unlearned.read(job)["audited"])
        with named(self.title):
            result = audit(
                signals, config.measures, name=self.title, preset=config.preset, alpha=config.alpha,
                tolerance=config.tolerance,
            )  # fmt: skip
        metrics = (*result.metrics, *self._cost(job))
        dataclasses.replace(result, metrics=metrics).write(job.path, shared)

    def _cost(self, job: Job) -> tuple[Metric, Metric]:
        facts = job.record(self.unlearned.trained)
        n = int((self.references.sources == "forget").sum())
        return (
            Metric(
                "model", "run_time", "wall-clock seconds of the unlearning, without evaluation",
                facts["unlearn_seconds"], "smaller is cheaper", (0.0, None), n=n,
            ),
            Metric(
                "model", "cost", "sample passes of the unlearning, in passes over the retained samples",
                facts["retrain_epochs"], "smaller is cheaper", (0.0, None), n=n,
            ),
        )  # fmt: skip


def shadow_fields(
    pool: Dataset,
    members: NDArray[np.bool_],
    inside: Sequence[Logits],
    audited: Sequence[Logits],
    *,
    seed: int,
    chosen: Sequence[int] | None = None,
    out: int | None = None,
) -> dict[str, Any]:
    """Return the fields of `Signals` that shadow models give.

    pool     the P samples that they are trained on, some each: `members` [S, P]
    inside   of each shadow [P, C], its logits on the pool
    audited  of each shadow [N, C], its logits on the audited samples
    chosen   the shadows that a measure is given, default: all; simulated deletions need three, and use all
    out      how many of them a simulated deletion has that never saw the sample; see `simulated_deletions`
    """
    given = range(len(members)) if chosen is None else chosen
    fits = [confidence(inside[k][members[k]], pool.y[members[k]]) for k in given]
    fields: dict[str, Any] = {
        "shadow_out": np.stack([audited[k] for k in given]), "shadow_fit": np.concatenate(fits),
        "shadow_ids": pool.ids[members.any(axis=0)],
    }  # fmt: skip
    if len(members) >= 3:
        known = simulated_deletions(pool.y, np.stack(inside), members, ids=pool.ids, out=out, seed=seed)
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
