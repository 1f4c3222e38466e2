"""Small real data sets for the tests of this folder: scikit-learn's digits as features and as images."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

from vestige.data.dataset import Dataset

_CLASSES = tuple("0123456789")


def digits(n: int = 1797) -> Dataset:
    """[n, 64] float32."""
    x, y = load_digits(return_X_y=True)
    return Dataset(
        "digits", x[:n].astype(np.float32), y[:n].astype(np.int64), np.arange(n).astype(str), _CLASSES
    )


def digit_images(n: int = 1797) -> Dataset:
    """[n, 1, 8, 8] uint8."""
    rows = digits(n)
    images = (rows.x * 15.9375).astype(np.uint8).reshape(n, 1, 8, 8)
    return Dataset("digit images", images, rows.y, rows.ids, _CLASSES)


def same_weights(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    """Are all parameters and buffers equal, bit for bit?"""
    mine, other = one.state_dict(), two.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[key], other[key]) for key in mine)
