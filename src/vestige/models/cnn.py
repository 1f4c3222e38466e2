"""A small convolutional network for images from 8x8 to 96x96."""

from __future__ import annotations

from typing import Literal

from torch import nn

from vestige.models.classifier import Classifier, Fraction, Width, channels_of
from vestige.models.registry import register

Norm = Literal["batch", "group", "none"]


def _convolution(inputs: int, outputs: int, norm: Norm) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=norm == "none")]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(outputs))
    if norm == "group":
        layers.append(nn.GroupNorm(1, outputs))
    return [*layers, nn.ReLU()]


@register("cnn")
def cnn(
    shape: tuple[int, ...], classes: int, *, width: Width = 32, norm: Norm = "batch", dropout: Fraction = 0.0
) -> Classifier:
    """Three 3x3 convolutions of width, 2 width and 4 width, two max-pools, global average pooling.

    Parameters
    ----------
    norm : {"batch", "group", "none"}
        "group" or "none" where every sample must pass alone: per-sample gradients, DP-SGD.
    dropout : float
        On the features before the last layer.
    """
    channels = channels_of(shape, "cnn")
    body = nn.Sequential(
        *_convolution(channels, width, norm),
        nn.MaxPool2d(2),
        *_convolution(width, 2 * width, norm),
        nn.MaxPool2d(2),
        *_convolution(2 * width, 4 * width, norm),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
    )
    return Classifier(shape, body, 4 * width, classes)
