"""Runs that train their own networks on a data set: how their configuration becomes a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import vestige
from vestige.config import validated
from vestige.data import Dataset, Split, make_split
from vestige.data.copies import find_copies
from vestige.data.source import Parts, Samples, Source, read_anew
from vestige.errors import InputError
from vestige.experiments.config import RunConfig
from vestige.experiments.networks import NetworkStep, Train, Unlearn, fresh
from vestige.experiments.plan import Plan, Positions, Roles, keys_of, shadow_size
from vestige.experiments.steps import named
from vestige.files import read_ids
from vestige.graph import Environment
from vestige.signals import collect_logits
from vestige.signals.kinds import Outputs
from vestige.training import Recipe, pick_device, train
from vestige.unlearning import METHODS, MethodConfig
from vestige.unlearning.registry import expect_whole_classes


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks of one architecture and recipe on a data set; see `Maker`."""

    run: RunConfig
    source: Source
    recipe: Recipe
    ids: list[str] | None

    @property
    def data(self) -> Dataset:
        """The data set, whose images the report shows."""
        return self.source.load()

    @property
    def environment(self) -> Environment:
        root = self.run.data.root
        return Environment(None if root is None else str(root), self.run.device)

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.run.model_dump(mode="json")

    @cached_property
    def content(self) -> dict[str, Any]:
        settings = self.run.model_dump(
            mode="json", exclude={"title": True, "data": {"root"}, "split": {"ids_file"}}
        )
        return {
            "config": settings, "ids": self.ids, "data": self.source.fingerprint, "code": vestige.__version__,
        }  # fmt: skip

    @property
    def facts(self) -> dict[str, Any]:
        data = self.data
        return {
            "name": data.name, "samples": len(data), "classes": len(data.classes), "sha256": data.fingerprint,
            "notes": list(data.notes),
        }  # fmt: skip

    @property
    def represents(self) -> bool:
        """Features are collected; a network without a linear layer has none, and its audits say so."""
        return True

    def rows(self, positions: Positions) -> Samples:
        return Samples(self.source, positions)

    def original(self, roles: Roles, seed: int) -> Train:
        return self.shadow("original", roles.train, seed)

    def shadow(self, name: str, positions: Positions, seed: int) -> Train:
        samples = self.rows(positions)
        recipe = self.recipe.model_copy(update={"seed": seed})
        label = f"training {name} on {len(samples):,} samples"
        return Train(samples=samples, model=self.run.model, recipe=recipe, label=label)

    def unlearning(self, original: NetworkStep, roles: Roles, way: MethodConfig, seed: int) -> Unlearn:
        parts = Parts(self.source, roles.forget, roles.retain, roles.holdout, roles.shadow)
        return Unlearn(
            original=original, parts=parts, model=self.run.model, recipe=self.recipe, method=way, seed=seed,
            title=way.title, label=f"unlearning {len(roles.forget):,} samples by {way.title}",
        )  # fmt: skip

    def trial(self, positions: Positions, seed: int) -> Callable[[Positions], Outputs]:
        root, recipe = self.environment.root, self.recipe.model_copy(update={"seed": seed})
        network = fresh(self.run.model, self.source, seed)
        trained = train(network, self.rows(positions).load(root), recipe, device=self.run.device)
        return lambda rows: Outputs(collect_logits(trained.model, self.rows(rows).load(root)), "logits")


def plan_run(config: RunConfig, folder: Path, store: str | None = None) -> Plan:
    """Decide everything before the first step.

    Raises `InputError` where the configuration does not fit the data.
    """
    read_anew()
    source = Source.of(config.data)
    data = source.load()
    if len(np.unique(data.y)) < 2:
        raise InputError(f"{data.name} has one class only; at least two are wanted.")
    chosen = config.split
    ids = None if chosen.ids_file is None else read_ids(chosen.ids_file)
    split = make_split(
        data, chosen.scenario, forget=chosen.forget, label=chosen.label, ids=ids, train=chosen.train,
        holdout=chosen.holdout, shadow=chosen.shadow, seed=chosen.seed,
    )  # fmt: skip
    recipe = validated(Recipe, config.recipe, "recipe")
    pick_device(config.device)
    for method in config.methods:
        _check_method(method, split)
    roles = Roles(split.forget, split.retain, split.holdout, split.shadow)
    shadow_size(config.shadows, roles)
    copies = find_copies(data, split.forget, split.retain)
    maker = Networks(config, source, recipe, ids)
    plan = Plan(
        config.name, folder, roles, maker, config.methods, config.shadows, config.audit, config.seed,
        *keys_of(maker.content, ("methods", "audit")), store, (copies.limit,) if copies.limit else (), copies.sentence,
    )  # fmt: skip
    _ = plan.store  # methods that are one are refused before any work
    return plan


def _check_method(method: MethodConfig, split: Split) -> None:
    """Refuse before any work what `unlearn` would refuse after the training."""
    entry = METHODS[method.name]
    with named(method.title):
        if "torch" not in entry.worlds:
            raise InputError(f"{method.name} does not work on networks, and a run trains one; leave it out.")
        labels = split.data.y
        expect_whole_classes(method.name, labels[split.forget], labels[split.retain], split.data.classes)
        if entry.exact and not (method.max_epochs is None and method.max_seconds is None):
            raise InputError(
                f"{method.name} is exact only when it runs to its end; leave out max_epochs and max_seconds."
            )
