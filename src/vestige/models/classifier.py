"""The one shape of all networks here: scale the input, compute features, apply a linear head."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from vestige.errors import InputError
from vestige.models.scale import InputScale

Width = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Classifier(nn.Module):
    """logits = head(body(scale(x))).

    Takes float [N, *shape], images in [0, 1]; returns logits [N, classes].

    Parameters
    ----------
    shape : tuple[int, ...]
        Of one sample, (C, H, W) or (F,).
    body : nn.Module
        Maps [N, *shape] to features [N, D].
    width : int
        D.
    adaptive : bool
        Whether the input scale is fitted on the training rows.
    """

    def __init__(
        self, shape: tuple[int, ...], body: nn.Module, width: int, classes: int, *, adaptive: bool = True
    ) -> None:
        super().__init__()
        self.scale = InputScale(shape, adaptive=adaptive)
        self.body = body
        self.head = nn.Linear(width, classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the features before the last layer, float [N, D]."""
        features: Tensor = self.body(self.scale(x))
        return features

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


class Tempered(nn.Module):
    """A classifier whose logits are divided by a temperature, when it is trained and when it answers."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x) / self.temperature
        return logits

    def extra_repr(self) -> str:
        return f"temperature={self.temperature:g}"


def channels_of(shape: tuple[int, ...], name: str) -> int:
    """Return C of an image shape (C, H, W), or raise `InputError`: model `name` takes images only."""
    if len(shape) != 3:
        raise InputError(f"{name} takes images, (C, H, W); these samples have the shape {shape}. Try 'mlp'.")
    return shape[0]
