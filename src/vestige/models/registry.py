"""What an architecture is, how it is registered, and how a model is built from its name.

An architecture is a plain function `(shape, classes, *, options) -> Classifier`. Its options are keyword-only;
their annotations are what values are checked against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from vestige.arguments import Below1, Count, Seed, checked
from vestige.config import Named
from vestige.errors import InputError, told
from vestige.models.initial import seeded
from vestige.registry import Entry, Registry


@dataclass(frozen=True, kw_only=True)
class Architecture(Entry):
    """A registered architecture; few are of a publication."""

    BESIDE = ("sparsity",)

    cites: str = ""


MODELS: Registry[Architecture] = Registry("model", "vestige.models", "vestige.models", Architecture)
register = MODELS.register


class ModelConfig(Named):
    """Which network, with its options. `sparsity`: the share of weights pruned, once, by their size."""

    REGISTRY = MODELS

    name: str = "mlp"
    sparsity: Below1 = 0.0


@checked
def build_model(
    name: str, shape: tuple[Count, ...], classes: Count, *, seed: Seed = 0, **options: Any
) -> nn.Module:
    """Build an untrained model on the CPU, in evaluation mode.

    Parameters
    ----------
    name : str
        A registered architecture, see `vestige list models`.
    shape : tuple[int, ...]
        Of one sample: (C, H, W) or (F,), as `Dataset.shape`.
    classes : int
        How many logits.
    seed : int
        Of the first weights; the same seed gives the same model, and no global state is touched.
    options : Any
        The architecture's own, for example `width=16` for "resnet18".

    Raises
    ------
    InputError
        For an unknown name or option, and for a shape the architecture cannot take.
    """
    architecture = MODELS[name]
    if not shape:
        raise InputError("build_model: shape is empty; (C, H, W) or (F,) is wanted, as `Dataset.shape`.")
    values = architecture.resolve(options)
    with seeded(seed):
        try:
            model: nn.Module = architecture.function(tuple(shape), classes, **values)
        except (MemoryError, RuntimeError) as error:  # torch has no exception of its own for either
            raise InputError(
                f"{name} cannot be built for samples of shape {list(shape)}: {told(error)}."
            ) from error
    return model.eval()
