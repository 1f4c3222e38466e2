"""What is looked at before any work, and a configuration by itself cannot say: what fits the data, and tables."""

from __future__ import annotations

from collections.abc import Iterable

from vestige.errors import InputError
from vestige.experiments.experiment import Experiment, Scale
from vestige.experiments.matrix import Matrix
from vestige.experiments.record import MeasureSpec
from vestige.experiments.steps import named
from vestige.measures import MEASURES
from vestige.unlearning import METHODS, MethodConfig


def matrices(
    experiment: Experiment, scale: Scale, root: str | None, *, requests: bool = True
) -> list[Matrix]:
    """Return the matrix of each block.

    Parameters
    ----------
    requests : bool
        Whether the kind forgets what the scale's requests say.

    Raises
    ------
    InputError
        Where counts or requests do not fit the data.
    """
    found = [Matrix(experiment, scale, name, block, root) for name, block in scale.blocks.items()]
    for matrix in found:
        if requests:
            matrix.check_requests()
        else:
            matrix.base.split(root)
        if scale.shadows or matrix.block.continues or not requests:
            matrix.check_pool()
    return found


def check_measures(experiment: Experiment, measures: Iterable[tuple[str, MeasureSpec]]) -> None:
    """Raise `InputError` where a measure is not known, or has no such option."""
    for row, spec in measures:
        with named(f"{experiment.name}, {row}"):
            entry, options, beside = MEASURES.chosen(spec)
            entry.resolve(options, beside.get("preset", experiment.preset))


def check_methods(experiment: Experiment, methods: Iterable[MethodConfig]) -> None:
    """Raise `InputError` where a method cannot be in a table; its name and options are the configuration's business."""
    for method in methods:
        where = f"{experiment.name}, {method.title}"
        if "torch" not in METHODS[method.name].worlds:
            raise InputError(f"{where}: {method.name} does not work on networks, which a table is made of.")
        if method.name == "retrain" and (method.options or method.max_epochs or method.max_seconds):
            raise InputError(
                f"{where}: retraining is as the block's recipe says; it takes no options and no budget."
            )
