"""vestige: unlearn data from a trained model, and measure the vestige that remains of each record.

    signals = vestige.Signals(labels, unlearned, original=before, shadow_out=shadow, role=role)
    result = vestige.audit(signals)
    print(result.summary())

Names are loaded when they are first used, so that importing vestige is cheap and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

if TYPE_CHECKING:
    from vestige.data import Dataset, Split, load_dataset, make_split
    from vestige.errors import ArtefactError, InputError, MissingArray, MissingExtra
    from vestige.evaluation import Audit
    from vestige.experiments import Answer, audit, forget, forget_costs, load_config, run
    from vestige.ledger import Ledger
    from vestige.measures import measure
    from vestige.models import build_model
    from vestige.signals import (
        Signals,
        collect_fit,
        collect_logits,
        collect_sensitivity,
        exchanged_deletions,
        simulated_deletions,
    )
    from vestige.training import Recipe, train
    from vestige.unlearning import unlearn

_HOME = {
    "Answer": "experiments",
    "ArtefactError": "errors",
    "Audit": "evaluation",
    "Dataset": "data",
    "InputError": "errors",
    "Ledger": "ledger",
    "MissingArray": "errors",
    "MissingExtra": "errors",
    "Recipe": "training",
    "Signals": "signals",
    "Split": "data",
    "audit": "experiments",
    "build_model": "models",
    "collect_fit": "signals",
    "collect_logits": "signals",
    "collect_sensitivity": "signals",
    "exchanged_deletions": "signals",
    "forget": "experiments",
    "forget_costs": "experiments",
    "load_config": "experiments",
    "load_dataset": "data",
    "make_split": "data",
    "measure": "measures",
    "run": "experiments",
    "simulated_deletions": "signals",
    "train": "training",
    "unlearn": "unlearning",
}
_PACKAGES = ("data", "evaluation", "evidence", "experiments", "leaks", "ledger", "llm", "measures", "methods", "models",
             "monitoring", "report", "signals", "systems", "training", "unlearning")  # fmt: skip
"""Loaded when they are first named: `vestige.llm.unlearn` needs no import of its own."""
_NEEDS_TORCH = {"load_config", "build_model", "Recipe", "train"}

__all__ = [
    "Answer",
    "ArtefactError",
    "Audit",
    "Dataset",
    "InputError",
    "Ledger",
    "MissingArray",
    "MissingExtra",
    "Recipe",
    "Signals",
    "Split",
    "audit",
    "build_model",
    "collect_fit",
    "collect_logits",
    "collect_sensitivity",
    "exchanged_deletions",
    "forget",
    "forget_costs",
    "load_config",
    "load_dataset",
    "make_split",
    "measure",
    "run",
    "simulated_deletions",
    "train",
    "unlearn",
]


def __getattr__(name: str) -> Any:
    if name in (*_PACKAGES, "Ledger") and _HOME.get(name, name) == "ledger":
        from vestige.errors import need

        need("sqlalchemy", "ledger", "The ledger")
    if name in _PACKAGES:
        return importlib.import_module(f"vestige.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'vestige' has no attribute {name!r}")
    home = _HOME[name]
    if name in _NEEDS_TORCH:
        from vestige.errors import need

        need("torch", "torch", f"vestige.{name}")
    value = getattr(importlib.import_module(f"vestige.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES, "__version__"])
