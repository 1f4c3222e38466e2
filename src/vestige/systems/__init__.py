"""Systems: a user's own model, data and outputs, behind three questions; see `System`.

The builders need torch, transformers or scikit-learn, and are loaded when they are first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vestige.signals.kinds import KINDS, Outputs
from vestige.systems.base import Records, System

if TYPE_CHECKING:
    from vestige.systems.estimator_system import estimators
    from vestige.systems.huggingface import transformers
    from vestige.systems.network import networks
    from vestige.systems.output_system import Asked, outputs
    from vestige.systems.output_tables import audit_tables, signals_from_tables

_HOME = {
    "Asked": "output_system", "audit_tables": "output_tables", "estimators": "estimator_system",
    "networks": "network", "outputs": "output_system",
    "signals_from_tables": "output_tables", "transformers": "huggingface",
}  # fmt: skip

__all__ = [
    "KINDS", "Asked", "Outputs", "Records", "System", "audit_tables", "estimators", "networks", "outputs",
    "signals_from_tables", "transformers",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vestige.systems' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vestige.systems.{_HOME[name]}"), name)
