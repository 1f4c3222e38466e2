"""Worlds of known truth: margin = ease + gap x seen + noise."""

from __future__ import annotations

import numpy as np

from vestige.evaluation.verdict import Margins


def world(
    seed: int = 0, *, n: int = 100, m: int = 400, pool: int = 100, q: int = 400, shadows: int = 1, gap: float = 6.0,
    left: float | np.ndarray = 0.0, classes: int = 5, hard: bool = False, scale: float = 0.0,
) -> Margins:  # fmt: skip
    """Return margins of a request of which `left` of the influence is left in each record (1 = untouched)."""
    rng = np.random.default_rng(seed)
    role = np.repeat(["forget", "retain", "holdout"], [n, q, m + pool])
    labels, ease = rng.integers(0, classes, len(role)), rng.normal(2, 2, len(role))
    if hard:
        trained = np.sort(ease[: n + q])
        ease[: n + q] = trained  # the forget records are the hardest ones
    forget, retain = role == "forget", role == "retain"

    def model(seen: np.ndarray) -> np.ndarray:
        margin = ease + gap * seen + rng.normal(0, 1, len(role))
        return np.exp(rng.normal(0, scale)) * margin + rng.normal(0, scale)

    original = model((forget | retain).astype(float))
    audited = retain.astype(float)
    audited[forget] = left
    source = np.where(np.arange(len(role)) < n + q + m, "holdout", "pool")
    return Margins(
        model(audited), np.stack([model(np.zeros(len(role))) for _ in range(shadows)]), labels, role, original,
        np.zeros((0, len(role))), source, np.ones(len(role), np.int64),
    )  # fmt: skip
