"""Per-sample measures of unlearning: pure functions of `Signals`; larger = more unlearned.

    from vestige.measures import iam
    scores = iam(signals, family="norm")          # vestige.measure("iam", signals, family="norm")

The functions are made of the registry when they are asked for; their types, for editors, stand in `__init__.pyi`.
"""

from vestige.measures.registry import MEASURES, Measure, measure, register
from vestige.registry import callables

__all__ = ["MEASURES", "Measure", "measure", "register"]
__getattr__, __dir__ = callables(__name__, MEASURES, measure, __all__)
