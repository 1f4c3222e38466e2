"""Retrain: train from scratch on the retained samples alone. Exact, and what every other method is read against.

Fresh weights are drawn, with input scaling fitted on the retained samples; nothing of the given model is kept
but its architecture.
"""

from __future__ import annotations

from typing import Any

from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.registry import register


@register("retrain", needs=("retain",), worlds=("torch", "sklearn"), exact=True, cites="exact by definition")
def retrain(
    model: Any,
    split: Split,
    *,
    recipe: Any = None,
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
) -> Any:
    """Train from scratch on the retained samples; exact.

    recipe  how the original was trained (torch); a scikit-learn model brings its own settings
    """
    rows = split.rows("retain")
    if hasattr(model, "predict_proba"):
        from vestige.training import fit_sklearn

        return fit_sklearn(model, rows, seed=seed)
    from vestige.models import reinitialise
    from vestige.training import train

    if recipe is None:
        raise InputError("retrain needs `recipe=`, the recipe that the original model was trained with.")
    fresh = reinitialise(model, seed)
    return train(
        fresh, rows, recipe.model_copy(update={"seed": seed}), device=device, progress=progress
    ).model
