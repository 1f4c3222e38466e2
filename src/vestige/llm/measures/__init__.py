"""Measures on texts: plain functions of loss arrays [N] to scores [N], larger = more unlearned."""

from vestige.llm.measures.registry import MEASURES, Measure, measure, register

__all__ = ["MEASURES", "Measure", "measure", "register"]
