"""Samples with other labels."""

from __future__ import annotations

import dataclasses

import numpy as np

from vestige.data.dataset import Dataset


def relabelled(rows: Dataset, seed: int, epoch: int = 0, *, true_label: bool = False) -> Dataset:
    """Return the samples with labels drawn uniformly, from the other classes unless `true_label`."""
    rng, classes = np.random.default_rng((seed, 11, epoch)), len(rows.classes)
    drawn = rng.integers(0, classes, len(rows)) if true_label else (
        rows.y + rng.integers(1, max(classes, 2), len(rows))
    ) % classes  # fmt: skip
    return dataclasses.replace(rows, y=drawn.astype(np.int64))
