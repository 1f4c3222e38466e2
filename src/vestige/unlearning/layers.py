"""Questions that methods ask of a network's layers and weights."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.parametrize import ParametrizationList

from vestige.data.dataset import Dataset
from vestige.errors import InputError
from vestige.models.passes import evaluating, hooked
from vestige.models.sparsity import masks_of


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that may be changed: those that are not frozen."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def alive_of(model: nn.Module) -> dict[str, Tensor]:
    """Return, by name, which entries of a masked weight are alive; nothing for a dense model."""
    masks = {id(weight): mask for weight, mask in masks_of(model)}
    return {name: masks[id(p)] for name, p in model.named_parameters() if id(p) in masks}


def only_alive(model: nn.Module, vector: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a vector over weights, by name, 0 where a sparse model is masked: a step there would be undone."""
    alive = alive_of(model)
    return {name: part * alive[name] if name in alive else part for name, part in vector.items()}


def layers_met(model: nn.Module, data: Dataset) -> list[nn.Module]:
    """Return the layers with weights of their own in the order in which a sample of `data` meets them.

    A layer that is met twice has its last place; one that no sample meets, such as a head for training alone, has none.
    """
    met: dict[nn.Module, None] = {}

    def meet(layer: nn.Module, inputs: object) -> None:  # before its parts, whose place is behind it
        met.pop(layer, None)
        met[layer] = None

    own = [m for m in model.modules() if not isinstance(m, ParametrizationList) and weights_of(m)]
    with evaluating(model), hooked(own, meet, before=True), torch.no_grad():
        model(torch.zeros(2, *data.shape, device=next(model.parameters()).device))
    return list(met)


def weights_of(layer: nn.Module) -> list[nn.Parameter]:
    """Return a layer's own parameters, with those that its weights are computed from (torch's parametrizations)."""
    computed = getattr(layer, "parametrizations", None)
    return [*layer.parameters(recurse=False), *(computed.parameters() if computed is not None else ())]


def own_weight(model: nn.Module, layer: nn.Module, method: str) -> nn.Parameter | None:
    """Return the weight of a layer of `model`, None where it is frozen.

    Raises `InputError` where it is computed from other parameters.
    """
    if not any(p.requires_grad for p in layer.parameters()):
        return None
    weight = layer._parameters.get("weight")
    if weight is None:
        name = next(name for name, module in model.named_modules() if module is layer)
        raise InputError(
            f"{method} sets the weight of the layer {name!r}, which is computed from other parameters (as weight norm "
            "and pruning do it); make it a parameter first, by torch.nn.utils.parametrize.remove_parametrizations, or "
            "by remove_weight_norm, remove_spectral_norm or prune.remove of torch.nn.utils where one of these was used."
        )
    return weight if weight.requires_grad else None


def last_linear(model: nn.Module, data: Dataset, method: str) -> nn.Linear:
    """Return the layer that gives the logits. Raises `InputError` where no linear layer does."""
    layers = layers_met(model, data)
    if not layers or not isinstance(layers[-1], nn.Linear):
        last = type(layers[-1]).__name__ if layers else "none"
        raise InputError(f"{method} needs a linear last layer; the last of {type(model).__name__} is {last}.")
    return layers[-1]


def is_convolution(layer: nn.Module) -> TypeGuard[_ConvNd]:
    """Whether a layer's weight has one kernel for each output channel, along dimension 0."""
    return isinstance(layer, _ConvNd) and not isinstance(layer, _ConvTransposeNd)


def channels_second(layer: nn.Module, output: Tensor) -> Tensor:
    """Return a layer's output as [n, channels, ...]; a linear layer has them last, of sequences too."""
    return output.movedim(-1, 1) if isinstance(layer, nn.Linear) else output


def kaiming(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Return a tensor like `weight`, normal with variance 2 / fan-in; drawn on the CPU."""
    inputs = weight[0].numel()
    drawn: Tensor = torch.randn(weight.shape, generator=generator) * float((2 / inputs) ** 0.5)
    return drawn.to(weight)
