"""Models of a system as steps: keep the one that is in use, fit another, let it forget; and who makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import vestige
from vestige.experiments.forgetting import Forgetting
from vestige.experiments.plan import Positions, Roles
from vestige.experiments.steps import ModelStep, named
from vestige.graph import Environment
from vestige.graph.step import Facts, Job
from vestige.signals.kinds import Outputs
from vestige.systems.base import System, ask, gives_representations, represent
from vestige.systems.source import SystemRows, SystemSource


@dataclass(frozen=True, eq=False, kw_only=True)
class SystemStep(ModelStep):
    """A step whose result is a model of a system, as the system keeps it in a folder."""

    source: SystemSource

    suffix: ClassVar[str] = ""

    def model(self, job: Job) -> Any:
        """Return the model."""
        return self.source.load().load(job.file(self))

    def ask(self, job: Job) -> Callable[[SystemRows], Outputs]:
        system, model = self.source.load(), self.model(job)
        return lambda rows: ask(system, model, rows.positions)

    def represent(self, job: Job) -> Callable[[SystemRows], NDArray[np.float32] | None]:
        system, model = self.source.load(), self.model(job)
        return lambda rows: represent(system, model, rows.positions)

    @property
    def size(self) -> float:
        return 5e6


@dataclass(frozen=True, eq=False, kw_only=True)
class Keep(SystemStep):
    """Keep the model that is in use."""

    def make(self, job: Job) -> None:
        system = self.source.load()
        _keep(system, system.original, job.path)


def _keep(system: System, model: Any, folder: Path) -> None:
    """Write a model to a folder that is not there yet, as the system keeps it."""
    folder.mkdir()
    system.save(model, folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit(SystemStep):
    """Fit a model of a system on some of its records."""

    rows: SystemRows
    seed: int

    def make(self, job: Job) -> Facts:
        system, start = self.source.load(), time.perf_counter()
        model = system.fit(np.array(self.rows.positions), self.seed)
        seconds = time.perf_counter() - start
        _keep(system, model, job.path)
        return {"unlearn_seconds": seconds, "retrain_epochs": None, "records": len(self.rows)}

    @property
    def alike(self) -> str:
        return f"{self.kind} {self.source.key}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Forget(SystemStep):
    """Let a system forget some records by another way than retraining."""

    original: SystemStep
    forget: SystemRows
    retain: SystemRows
    way: Forgetting
    seed: int

    def make(self, job: Job) -> Facts:
        system, start = self.source.load(), time.perf_counter()
        with named(self.way.title):
            model, facts = system.unlearn(
                self.way.name, self.original.model(job), self.forget.positions, self.retain.positions,
                seed=self.seed, **self.way.options,
            )  # fmt: skip
        seconds = time.perf_counter() - start
        _keep(system, model, job.path)
        return {"unlearn_seconds": seconds, "retrain_epochs": None, **facts}


@dataclass(frozen=True, eq=False)
class Models:
    """The models of a system; see `Maker`."""

    source: SystemSource
    config: Mapping[str, Any]

    @property
    def environment(self) -> Environment:
        return Environment()

    @cached_property
    def content(self) -> dict[str, Any]:
        settings = {k: v for k, v in self.config.items() if k not in ("title", "system")}
        return {"config": settings, "data": self.source.fingerprint, "code": vestige.__version__}

    @property
    def facts(self) -> dict[str, Any]:
        system = self.source.load()
        return {
            "name": system.name, "samples": len(system.records), "classes": len(system.records.classes),
            "sha256": self.source.fingerprint, "notes": list(system.notes),
        }  # fmt: skip

    @property
    def represents(self) -> bool:
        """Are there features to collect?"""
        return gives_representations(self.source.load())

    def rows(self, positions: Positions) -> SystemRows:
        return SystemRows(self.source, positions)

    def original(self, roles: Roles, seed: int) -> SystemStep:
        if self.source.load().original is not None:
            return Keep(source=self.source, label="keeping the model that is in use")
        return self.shadow("original", roles.train, seed)

    def shadow(self, name: str, positions: Positions, seed: int) -> Fit:
        label = f"training {name} on {len(positions):,} records"
        return Fit(source=self.source, rows=self.rows(positions), seed=seed, label=label)

    def unlearning(self, original: SystemStep, roles: Roles, way: Forgetting, seed: int) -> SystemStep:
        label = f"forgetting {len(roles.forget):,} records by {way.title}"
        retain = self.rows(roles.retain)
        if way.exact:
            return Fit(source=self.source, rows=retain, seed=seed, label=label)
        self._expect_possible(roles, way)
        return Forget(
            source=self.source, original=original, forget=self.rows(roles.forget), retain=retain, way=way,
            seed=seed, label=label,
        )  # fmt: skip

    def _expect_possible(self, roles: Roles, way: Forgetting) -> None:
        """Refuse before any work what the system, or the method, would refuse after the training."""
        from vestige.unlearning.registry import expect_whole_classes

        system = self.source.load()
        labels = system.records.labels
        with named(way.title):
            if hasattr(system, "expect_method"):
                system.expect_method(way.name)
            if labels is not None:
                expect_whole_classes(
                    way.name, labels[roles.forget], labels[roles.retain], system.records.classes
                )

    def trial(self, positions: Positions, seed: int) -> Callable[[Positions], Outputs]:
        system = self.source.load()
        model = system.fit(np.array(positions), seed)
        return lambda rows: ask(system, model, rows)


@dataclass(frozen=True, eq=False)
class Existing(Models):
    """The models of an audit of two that exist; shadows alone are fitted."""

    before: SystemStep
    after: SystemStep

    def original(self, roles: Roles, seed: int) -> SystemStep:
        return self.before

    def unlearning(self, original: SystemStep, roles: Roles, way: Forgetting, seed: int) -> SystemStep:
        return self.after
