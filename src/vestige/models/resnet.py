"""Residual networks for small images.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, in the CIFAR variant that the
unlearning papers use: a 3x3 stem of stride 1, no max-pool, global average pooling.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vestige.models.classifier import Classifier, Width, channels_of
from vestige.models.registry import register


def _norm_conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class ResidualBlock(nn.Module):
    """relu(path(x) + shortcut(x)); the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, path: nn.Module, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        same = stride == 1 and inputs == outputs
        self.path = path
        self.shortcut = nn.Identity() if same else _norm_conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.path(x) + self.shortcut(x))


def basic_block(inputs: int, width: int, stride: int) -> ResidualBlock:
    """Two 3x3 convolutions."""
    path = nn.Sequential(_norm_conv(inputs, width, 3, stride), nn.ReLU(), _norm_conv(width, width, 3))
    return ResidualBlock(path, inputs, width, stride)


def bottleneck(inputs: int, width: int, stride: int) -> ResidualBlock:
    """1x1, 3x3 and 1x1 convolutions; four times as many channels leave as `width`."""
    path = nn.Sequential(
        _norm_conv(inputs, width, 1),
        nn.ReLU(),
        _norm_conv(width, width, 3, stride),
        nn.ReLU(),
        _norm_conv(width, 4 * width, 1),
    )
    return ResidualBlock(path, inputs, 4 * width, stride)


def _resnet(
    shape: tuple[int, ...], classes: int, width: int, depths: tuple[int, ...], *, wide_blocks: bool = False
) -> Classifier:
    block, expansion = (bottleneck, 4) if wide_blocks else (basic_block, 1)
    layers: list[nn.Module] = [_norm_conv(shape[0], width, 3), nn.ReLU()]
    inputs = width
    for stage, depth in enumerate(depths):
        outputs = width * 2**stage
        for position in range(depth):
            layers.append(block(inputs, outputs, 2 if stage > 0 and position == 0 else 1))
            inputs = outputs * expansion
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Classifier(shape, body, inputs, classes)


@register("resnet18", cites="He et al. 2016 (ResNet)")
def resnet18(shape: tuple[int, ...], classes: int, *, width: Width = 64) -> Classifier:
    """CIFAR ResNet-18; 11,173,962 parameters at width 64 (the papers') and 10 classes."""
    channels_of(shape, "resnet18")
    return _resnet(shape, classes, width, (2, 2, 2, 2))


@register("resnet34", cites="He et al. 2016 (ResNet)")
def resnet34(shape: tuple[int, ...], classes: int, *, width: Width = 64) -> Classifier:
    """CIFAR ResNet-34."""
    channels_of(shape, "resnet34")
    return _resnet(shape, classes, width, (3, 4, 6, 3))


@register("resnet50", cites="He et al. 2016 (ResNet)")
def resnet50(shape: tuple[int, ...], classes: int, *, width: Width = 64) -> Classifier:
    """CIFAR ResNet-50, of bottleneck blocks."""
    channels_of(shape, "resnet50")
    return _resnet(shape, classes, width, (3, 4, 6, 3), wide_blocks=True)
