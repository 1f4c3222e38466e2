"""Retrain: train from scratch on the retained samples alone. Exact, and what every other method is read against.

Fresh weights are drawn, with input scaling fitted on the retained samples; nothing of the given model is kept but its
architecture and its sparsity. A sparse model's mask was chosen on all samples, so it remembers the forget set:
`recommended` chooses it anew from the retained samples, `paper` keeps it as Jia et al. 2023 do.
"""

from __future__ import annotations

from typing import Any, Literal

from vestige.data.split import Split
from vestige.errors import InputError
from vestige.unlearning.registry import Trial, register, world_of
from vestige.unlearning.work import Work


@register(
    "retrain",
    needs=("retain",),
    worlds=("torch", "sklearn"),
    exact=True,
    cites="exact by definition",
    paper={"mask": "keep"},
    trial=Trial(rise=0.5),
)
def retrain(model: Any, split: Split, work: Work, *, mask: Literal["recompute", "keep"] = "recompute") -> Any:
    """Train from scratch on the retained samples; exact.

    mask  of a sparse model: "recompute" it from the retained samples, or "keep" it (then not exact)

    Needs `recipe=`, how the original was trained; a scikit-learn model brings its own settings.
    """
    rows = split.rows("retain")
    if world_of(model) == "sklearn":
        from vestige.training import fit_sklearn

        work.spend(len(rows))
        return fit_sklearn(model, rows, seed=work.seed)
    from vestige.models import reinitialise
    from vestige.models.sparsity import apply_masks, drop_masks, masks_of, sparsity_of
    from vestige.training import train, train_sparse

    if work.recipe is None:
        raise InputError("retrain needs `recipe=`, the recipe that the original model was trained with.")
    recipe = work.recipe.model_copy(update={"seed": work.seed})
    sparsity = sparsity_of(model)
    options: dict[str, Any] = {"device": work.device, "progress": work.progress}
    work.spend(len(rows) * recipe.epochs)
    fresh = reinitialise(model, work.seed)
    if sparsity and mask == "recompute":
        work.spend(len(rows) * recipe.epochs)
        return train_sparse(drop_masks(fresh), rows, recipe, sparsity, **options).model
    apply_masks(masks_of(fresh))
    return train(fresh, rows, recipe, **options).model
