"""Per-record measures of unlearning: pure functions of `Signals`, or of arrays of texts; larger = more unlearned.

    from vestige.measures import iam
    scores = iam(signals, family="norm")          # vestige.measure("iam", signals, family="norm")

The functions are made of the registry when they are asked for; their types, for editors, stand in `__init__.pyi`.
"""

from collections.abc import Callable
from typing import Any

from vestige.measures.registry import MEASURES, Measure, measure, register
from vestige.registry import callables

__all__ = ["MEASURES", "Measure", "measure", "register"]


def _call_of(entry: Measure) -> Callable[..., Any]:
    if entry.of_samples:
        return measure
    from vestige.measures import texts

    return texts.measure


__getattr__, __dir__ = callables(__name__, MEASURES, _call_of, __all__)
