"""Every unlearning method as a function: what an editor completes, and what `help` shows.

    from vestige.methods import scrub
    result = scrub(model, split, epochs=3)        # vestige.unlearn("scrub", model, split, epochs=3)

The functions are made of the registry when they are asked for; their types, for editors, stand in `methods.pyi`.
"""

from __future__ import annotations

from vestige.registry import callables
from vestige.unlearning import METHODS, unlearn

__getattr__, __dir__ = callables(__name__, METHODS, lambda method: unlearn)
