"""The kinds of tables, one file each; what a file of this folder calls `KIND` is one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from vestige.errors import InputError, unknown
from vestige.experiments.experiment import Experiment
from vestige.experiments.kinds.kind import Kind


def _kinds() -> dict[str, Kind]:
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in kinds}


KINDS = _kinds()


def kind_of(experiment: Experiment) -> Kind:
    """Return the kind of an experiment. Raises `InputError` where it is not known, or lacks what it is made of."""
    if experiment.kind not in KINDS:
        raise InputError(f"{experiment.name}: {unknown('kind', experiment.kind, KINDS)}")
    kind = KINDS[experiment.kind]
    kind.check(experiment)
    return kind
