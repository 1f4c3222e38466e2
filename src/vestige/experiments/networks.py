"""Networks on data sets as steps: train one, and unlearn from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.data.source import Parts, Samples, Source
from vestige.experiments.steps import ModelStep, named
from vestige.graph.step import UNNAMED, Facts, Job
from vestige.models import ModelConfig, build_model
from vestige.signals import collect_features, collect_logits
from vestige.signals.kinds import Outputs
from vestige.training import Recipe, load_model, train, train_sparse, write_weights
from vestige.unlearning import MethodConfig, unlearn


def fresh(model: ModelConfig, source: Source, seed: int) -> Any:
    """Build a network for the samples of a source."""
    return build_model(model.name, source.shape, source.classes, seed=seed, **model.options)


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkStep(ModelStep):
    """A step whose result is the weights of a network, built by `model` for the samples of `source`."""

    model: ModelConfig

    @property
    def source(self) -> Source:
        """The data that the network is built for."""
        raise NotImplementedError

    def load(self, job: Job) -> Any:
        """Return the network, for a step that reads it."""
        return load_model(job.file(self), fresh(self.model, self.source, 0))

    def ask(self, job: Job) -> Callable[[Samples], Outputs]:
        network, root = self.load(job), job.environment.root
        return lambda samples: Outputs(collect_logits(network, samples.load(root)), "logits")

    def represent(self, job: Job) -> Callable[[Samples], NDArray[np.float32] | None]:
        network, root = self.load(job), job.environment.root
        return lambda samples: collect_features(network, samples.load(root))

    @property
    def size(self) -> float:
        return 50e6 if "resnet" in self.model.name else 5e6

    @property
    def alike(self) -> str:
        data = "" if self.source.config is None else self.source.config.name
        return f"{self.kind} {self.model.name} {data}".strip()


@dataclass(frozen=True, eq=False, kw_only=True)
class Train(NetworkStep):
    """Train one network; `begin` is the network that it goes on from, where it does not begin anew."""

    samples: Samples
    recipe: Recipe
    begin: Train | None = None

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
    def source(self) -> Source:
        return self.samples.source


@dataclass(frozen=True, eq=False, kw_only=True)
class Unlearn(NetworkStep):
    """Run one unlearning method on an original; `title` names it in messages."""

    original: NetworkStep
    parts: Parts
    recipe: Recipe
    method: MethodConfig
    seed: int
    title: str = field(default="", metadata=UNNAMED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.method.title)
        object.__setattr__(self, "method", self.method.model_copy(update={"label": None}))

    def make(self, job: Job) -> Facts:
        environment, method = job.environment, self.method
        original = self.original.load(job)
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
    def source(self) -> Source:
        return self.parts.source

    @property
    def alike(self) -> str:
        return f"{super().alike} {self.method.name}"
