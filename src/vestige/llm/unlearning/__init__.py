"""Methods that unlearn texts from a causal language model: one registry, one way to descend, one file a family."""

from vestige.llm.unlearning.registry import METHODS, Method, Unlearned, register, unlearn
from vestige.llm.unlearning.work import Steps, Work

__all__ = ["METHODS", "Method", "Steps", "Unlearned", "Work", "register", "unlearn"]
