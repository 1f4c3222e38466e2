"""Unlearning methods, one file each, and the registry that finds them."""

from vestige.unlearning.registry import METHODS, Method, MethodConfig, Unlearned, register, unlearn

__all__ = ["METHODS", "Method", "MethodConfig", "Unlearned", "register", "unlearn"]
