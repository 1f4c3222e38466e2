"""What is looked at before any work: the names, options and figure of an experiment, as it is run at one scale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vestige.config import validated
from vestige.errors import InputError, unknown
from vestige.experiments.bench.experiment import Block, Experiment, Scale
from vestige.experiments.bench.work import figures_of
from vestige.measures import MEASURES
from vestige.models import MODELS
from vestige.training import Recipe
from vestige.unlearning import METHODS, MethodConfig


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Say where in the experiment a name is not known."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def check(experiment: Experiment, scale: Scale) -> None:
    """Raise `InputError` where a figure, network, recipe, measure or method is not known, or has no such option.

    Names inside settings of the two-version attack, and of runs on texts, are checked where those are read.
    """
    known = figures_of(experiment)
    if experiment.figure not in known:
        raise InputError(f"{experiment.name}: {unknown('figure', experiment.figure, known)}")
    if experiment.kind in ("leaks", "texts", "degrees_of_texts"):
        return
    for name, block in scale.blocks.items():
        _check_block(f"{experiment.name}, {name}", block)
    for row, spec in _measures(experiment, scale):
        _check_measure(f"{experiment.name}, {row}", spec, experiment.preset)
    for method in experiment.methods_at(scale) if experiment.kind in ("methods", "epsilon") else ():
        _check_method(f"{experiment.name}, {method.title}", method)


def _measures(experiment: Experiment, scale: Scale) -> Iterator[tuple[str, str | dict[str, Any]]]:
    """Yield each measure that is computed."""
    if experiment.kind == "epsilon":
        return
    yield from experiment.measures.items()
    if experiment.kind == "separation":
        for wanted in scale.requests.values():
            yield from wanted.measures.items()


def _check_block(where: str, block: Block) -> None:
    for model in filter(None, (block.model, block.shadow_model)):
        with _named(where):
            MODELS[model.name].resolve(model.options)
    validated(Recipe, block.recipe, f"{where}: recipe")


def _check_measure(where: str, spec: str | dict[str, Any], preset: str) -> None:
    with _named(where):
        entry, options, beside = MEASURES.chosen(spec)
        entry.resolve(options, beside.get("preset", preset))


def _check_method(where: str, method: MethodConfig) -> None:
    with _named(where):
        entry = METHODS[method.name]
        entry.resolve(method.options, method.preset)
    if "torch" not in entry.worlds:
        raise InputError(f"{where}: {method.name} does not work on networks, which a table is made of.")
    if method.name == "retrain" and (method.options or method.max_epochs or method.max_seconds):
        raise InputError(
            f"{where}: retraining is as the block's recipe says; it takes no options and no budget."
        )
