"""The public names for language models under one roof; each is loaded from its own room when it is first used.

vestige.data.texts              Texts, read_texts
vestige.models.language         load_model
vestige.signals.texts           TextSignals
vestige.signals.collect_texts   collect
vestige.measures.texts          MEASURES, measure
vestige.unlearning.text         METHODS, unlearn
vestige.evaluation.texts        TextAudit, audit_texts, degrees
vestige.experiments.text_config LlmConfig
vestige.experiments.texts       LlmRun, run_llm
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vestige.data.texts import Texts, read_texts
    from vestige.evaluation.texts import TextAudit, audit_texts, degrees
    from vestige.experiments.text_config import LlmConfig
    from vestige.experiments.texts import LlmRun, run_llm
    from vestige.measures.texts import MEASURES, measure
    from vestige.models.language import load_model
    from vestige.signals.collect_texts import collect
    from vestige.signals.texts import TextSignals
    from vestige.unlearning.text import METHODS, unlearn

_HOME = {
    "MEASURES": "measures.texts",
    "METHODS": "unlearning.text",
    "LlmConfig": "experiments.text_config",
    "LlmRun": "experiments.texts",
    "TextAudit": "evaluation.texts",
    "TextSignals": "signals.texts",
    "Texts": "data.texts",
    "audit_texts": "evaluation.texts",
    "collect": "signals.collect_texts",
    "degrees": "evaluation.texts",
    "load_model": "models.language",
    "measure": "measures.texts",
    "read_texts": "data.texts",
    "run_llm": "experiments.texts",
    "unlearn": "unlearning.text",
}

__all__ = [
    "MEASURES",
    "METHODS",
    "LlmConfig",
    "LlmRun",
    "TextAudit",
    "TextSignals",
    "Texts",
    "audit_texts",
    "collect",
    "degrees",
    "load_model",
    "measure",
    "read_texts",
    "run_llm",
    "unlearn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vestige.llm' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"vestige.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
