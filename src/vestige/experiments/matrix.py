"""From a block of an experiment to its steps: networks, what they say, and who was trained on what.

A request's forget samples are drawn anew for each split from one training set, so that the original and the shadows are
trained once. One network is one step, however many tables read it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.config import validated
from vestige.data import Split, make_split
from vestige.data.source import Parts, Samples, Source
from vestige.errors import InputError
from vestige.experiments.experiment import Block, Counts, Experiment, Request, Scale
from vestige.experiments.networks import Train, Unlearn
from vestige.experiments.steps import Collect
from vestige.models import ModelConfig
from vestige.training import Recipe
from vestige.unlearning import MethodConfig


@dataclass(frozen=True, eq=False)
class Side:
    """The data, counts, network and recipe of one side: the audited models', or the shadows'."""

    source: Source
    counts: Counts
    model: ModelConfig
    recipe: dict[str, Any]

    def split(self, root: str | None, request: Request | None = None, draw: int | None = None) -> Split:
        """Return the split of a request; without one, that of any, which has the same training set and pool."""
        asked, counts = request or Request(forget=1), self.counts
        return make_split(
            self.source.load(root), asked.scenario, forget=asked.forget, label=asked.label, train=counts.train,
            holdout=counts.holdout, shadow=counts.shadow, seed=counts.seed, request=draw,
        )  # fmt: skip

    def members(self, pool: int, number: int) -> NDArray[np.bool_]:
        """Return [P]: which samples of the pool the shadow model `number` is trained on."""
        size = self.counts.shadow_size or round(0.65 * pool)
        if size > pool:
            raise InputError(f"shadow_size is {size}; the shadow pool has {pool} samples.")
        member = np.zeros(pool, bool)
        member[np.random.default_rng((self.counts.seed, 1, number)).permutation(pool)[:size]] = True
        return member


@dataclass(frozen=True, eq=False)
class Matrix:
    """The steps of one block of an experiment at one scale; `name` is the block's."""

    experiment: Experiment
    scale: Scale
    name: str
    block: Block
    root: str | None

    @cached_property
    def base(self) -> Side:
        """The audited models' side."""
        return self._side(self.block)

    @cached_property
    def shadow_side(self) -> Side:
        """The shadows' side."""
        block, side = self.block, self.base
        if block.shadow_data is not None and block.shadow_counts is not None:
            side = self._side(
                block.model_copy(update={"data": block.shadow_data, "counts": block.shadow_counts})
            )
        return side if block.shadow_model is None else replace(side, model=block.shadow_model)

    def _side(self, block: Block) -> Side:
        return Side(Source.of(block.data, self.root), block.counts, block.model, block.recipe)

    def check_requests(self) -> None:
        """Raise `InputError` where counts, or what is to be forgotten, do not fit the data."""
        self.base.split(self.root)
        for asked, wanted in self.scale.requests.items():
            try:
                self.base.split(self.root, wanted, 0)
            except InputError as error:
                raise InputError(f"{self.experiment.name}, {self.name}, request {asked!r}: {error}") from None

    def check_pool(self) -> None:
        """Raise `InputError` where the shadow models cannot be trained on their pool."""
        where, side = f"{self.experiment.name}, {self.name}", self.shadow_side
        if not side.counts.shadow:
            raise InputError(f"{where}: there is no shadow pool; set counts.shadow.")
        side.members(len(side.split(self.root).shadow), 0)
        pool, data = side.source.load(self.root), self.base.source.load(self.root)
        if (pool.shape, len(pool.classes)) != (data.shape, len(data.classes)):
            raise InputError(
                f"{where}: a sample of {pool.name} has shape {pool.shape} and one of {len(pool.classes)} classes, one "
                f"of {data.name} {data.shape} and {len(data.classes)}; the shadow side needs data of the same form."
            )

    @cached_property
    def parts(self) -> Parts:
        """The base's split, of whatever request: its training set, holdout samples and pool."""
        return Parts.of(self.base.source, self.base.split(self.root))

    @cached_property
    def pool(self) -> Samples:
        """What shadow models are trained on."""
        return Samples(self.shadow_side.source, self.shadow_side.split(self.root).shadow)

    def member(self, number: int) -> NDArray[np.bool_]:
        """Return [P]: which samples of the pool the shadow model `number` is trained on."""
        return self.shadow_side.members(len(self.pool), number)

    @cached_property
    def members(self) -> NDArray[np.bool_]:
        """[S, P] the same for all shadow models."""
        rows = [self.member(number) for number in range(self.scale.shadows)]
        return np.stack(rows) if rows else np.zeros((0, 0), bool)

    def request(self, wanted: Request, draw: int) -> Parts:
        """Return the split of a request."""
        return Parts.of(self.base.source, self.base.split(self.root, wanted, draw))

    def network(self, samples: Samples, seed: int, label: str, side: Side | None = None) -> Train:
        """Return the training of a network; one of the base's side may go on from an earlier model."""
        chosen, begin = side or self.base, None
        if side is None and self.block.continues:
            begin = self.shadow(self.scale.shadows, "the earlier model")  # a draw that no shadow model has
        return Train(
            samples=samples, model=chosen.model, recipe=self.recipe(seed, chosen), begin=begin,
            label=f"{self.name}: train {label}",
        )  # fmt: skip

    def recipe(self, seed: int, side: Side | None = None) -> Recipe:
        """Return how a side trains its networks, with a seed."""
        return validated(Recipe, (side or self.base).recipe | {"seed": seed}, "recipe")

    def shadow(self, number: int, label: str = "") -> Train:
        """Return the training of a shadow model."""
        samples = Samples(self.pool.source, self.pool.positions[self.member(number)])
        return self.network(samples, 2000 + number, label or f"shadow {number}", self.shadow_side)

    def outputs(self, model: Train | Unlearn, label: str, *, pool: bool = False) -> Collect:
        """Return the collecting of what a network says of the training set and the holdout samples."""
        groups = {role: self.parts.samples(role) for role in ("train", "holdout")}
        return Collect(
            model=model,
            groups=groups | ({"pool": self.pool} if pool else {}),
            label=f"{self.name}: outputs of {label}",
        )

    @cached_property
    def original(self) -> Train:
        """The training of the original."""
        return self.network(self.parts.samples("train"), 1000, "the original")

    def references(self) -> dict[str, Collect]:
        """Return what the original, every shadow model and, where a measure wants one, the population's model say."""
        outputs = {"original": self.outputs(self.original, "the original")}
        for number in range(self.scale.shadows):
            outputs[f"shadow-{number}"] = self.outputs(self.shadow(number), f"shadow {number}", pool=True)
        if any("rmia_online" in str(measure) for measure in self.experiment.measures.values()):
            label = "the population's model"
            trained = self.network(self.parts.samples("holdout"), 4000, label, self.base)
            outputs["population"] = self.outputs(trained, label)
        return outputs

    def retrained(self, parts: Parts, seed: int, label: str) -> Collect:
        """Return what a network says that was trained on the retained samples alone."""
        return self.outputs(self.network(parts.samples("retain"), seed, label), label)

    def unlearned(self, method: MethodConfig, parts: Parts, seed: int) -> Train | Unlearn:
        """Return a method's network; exact retraining is training on what is retained."""
        if method.name == "retrain":
            return self.network(parts.samples("retain"), 3000 + seed, f"retraining {seed}")
        return Unlearn(
            original=self.original, parts=parts, model=self.base.model, method=method, seed=seed,
            recipe=validated(Recipe, self.base.recipe, "recipe"), title=method.title,
            label=f"{self.name}: {method.title}, seed {seed}",
        )  # fmt: skip
