"""Language models: unlearn texts, and measure what is left of each: from losses, or from the signals of every token."""

from vestige.llm.audit import TextAudit, audit_texts, degrees
from vestige.llm.collect import collect
from vestige.llm.experiment import LlmConfig, LlmRun, run_llm
from vestige.llm.load import load_model
from vestige.llm.measures import MEASURES, measure
from vestige.llm.signals import TextSignals
from vestige.llm.texts import Texts, read_texts
from vestige.llm.unlearning import METHODS, unlearn

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
