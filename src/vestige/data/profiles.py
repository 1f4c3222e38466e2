"""Made-up profiles, for a demonstration that decides: each class is a pattern that most of its records hardly follow.

A network can only learn such records by heart, so that what is left of one after a deletion shows in its answers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vestige.data.dataset import Dataset
from vestige.data.registry import register

RECORDS, FEATURES, CLASSES = 6000, 400, 20
RATE = 0.15


@register(
    "profiles", description=f"{RECORDS:,} made-up profiles, {FEATURES} binary features, {CLASSES} classes",
    home="generated, the same on every machine", embedded=True,
)  # fmt: skip
def profiles(root: Path, *, own: float = 0.9) -> Dataset:
    """Profiles of which a share `own` of the features are the record's own, and the others its class's."""
    rng = np.random.Generator(np.random.PCG64(0))
    pattern = rng.random((CLASSES, FEATURES)) < RATE
    y = rng.integers(0, CLASSES, RECORDS)
    features = np.where(
        rng.random((RECORDS, FEATURES)) < own, rng.random((RECORDS, FEATURES)) < RATE, pattern[y]
    )
    names = tuple(f"group {k:02d}" for k in range(CLASSES))
    ids = np.asarray([f"p{k:04d}" for k in range(RECORDS)])
    return Dataset("profiles", features.astype(np.float32), y.astype(np.int64), ids, names)
