"""Methods that unlearn texts from a causal language model: one registry, one way to descend, one file a family."""

from vestige.unlearning.text.registry import METHODS, Method, Unlearned, register, unlearn
from vestige.unlearning.text.work import Steps, Work

__all__ = ["METHODS", "Method", "Steps", "Unlearned", "Work", "register", "unlearn"]
