"""Per-sample measures of unlearning: pure functions of `Signals`; larger = more unlearned."""

from vestige.measures.registry import MEASURES, Measure, measure, register

__all__ = ["MEASURES", "Measure", "measure", "register"]
