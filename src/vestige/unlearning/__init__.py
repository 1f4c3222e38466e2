"""Unlearning methods, one file each, and the registry that finds them."""

from vestige.unlearning.registry import METHODS, Method, MethodConfig, Trial, Unlearned, register, unlearn
from vestige.unlearning.work import Steps, Work

__all__ = ["METHODS", "Method", "MethodConfig", "Steps", "Trial", "Unlearned", "Work", "register", "unlearn"]
