"""Densely connected networks for small images.

Huang, Liu, van der Maaten, Weinberger: Densely Connected Convolutional Networks, CVPR 2017, in its CIFAR form with
bottlenecks and compression: a 3x3 stem of stride 1, three blocks of equal depth, each layer reads all before it.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from vestige.models.classifier import Classifier, Width, channels_of
from vestige.models.registry import register

BLOCKS = 3


class DenseLayer(nn.Module):
    """[N, C, H, W] -> [N, C + growth, H, W]: what it was given, and `growth` new channels computed from all of it."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, 4 * growth, 1, bias=False),
            nn.BatchNorm2d(4 * growth),
            nn.ReLU(),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.path(x)], dim=1)


@register("densenet", cites="Huang et al. 2017 (DenseNet)")
def densenet(
    shape: tuple[int, ...],
    classes: int,
    *,
    growth: Width = 12,
    depth: Annotated[int, Field(ge=10)] = 40,
    compression: Annotated[float, Field(gt=0, le=1)] = 0.5,
) -> Classifier:
    """DenseNet-BC; 176,122 parameters with 10 classes.

    Parameters
    ----------
    growth : int
        Channels that each layer adds.
    depth : int
        Of the whole network; 6 L + 4 gives L layers a block, what is over is left out.
    compression : float
        Share of the channels that pass from one block to the next.
    """
    channels = 2 * growth
    layers: list[nn.Module] = [nn.Conv2d(channels_of(shape, "densenet"), channels, 3, padding=1, bias=False)]
    for block in range(BLOCKS):
        for _ in range((depth - 4) // (2 * BLOCKS)):
            layers.append(DenseLayer(channels, growth))
            channels += growth
        if block < BLOCKS - 1:
            kept = int(compression * channels)
            layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, kept, 1, bias=False)]
            layers.append(nn.AvgPool2d(2))
            channels = kept
    body = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Classifier(shape, body, channels, classes)
