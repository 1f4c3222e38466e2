"""The bootstrap of every ROC figure against scikit-learn's `roc_curve` on every draw, which yields the AUC only."""

from __future__ import annotations

import time

import numpy as np
from sklearn.metrics import roc_curve

from vestige.evaluation import bootstrap

DRAWS, SLOW_DRAWS = 2_000, 200


def repeated(unlearned: np.ndarray, retained: np.ndarray, draws: int) -> tuple[float, float]:
    """95 % interval of the AUC from `draws` resampled ROC curves."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], [len(unlearned), len(retained)])
    areas = []
    for _ in range(draws):
        groups = (group[rng.integers(0, len(group), len(group))] for group in (unlearned, retained))
        fpr, tpr, _ = roc_curve(truth, -np.concatenate(list(groups)))
        areas.append(np.trapezoid(tpr, fpr))
    return tuple(np.quantile(areas, [0.025, 0.975]))


def main() -> None:
    print("samples a side   roc_curve, ms a draw   ours, ms a draw   ratio   AUC intervals")
    for size in (500, 2_000, 10_000):
        rng = np.random.default_rng(1)
        groups = rng.normal(1, 1, size), rng.normal(0, 1, size)
        repeated(*groups, 20)
        start = time.perf_counter()
        slow = repeated(*groups, SLOW_DRAWS)
        loop = (time.perf_counter() - start) / SLOW_DRAWS
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            fast = bootstrap(*groups, draws=DRAWS)["auc"]
            taken.append((time.perf_counter() - start) / DRAWS)
        ours = float(np.median(taken))
        intervals = ", ".join(f"[{low:.3f}, {high:.3f}]" for low, high in (slow, fast))
        print(
            f"{size:>14,} {1e3 * loop:>22.3f} {1e3 * ours:>17.4f} {loop / ours:>6.0f}x   {intervals}"
            + ("   (wanted: at least 50x)" if size == 500 else "")
        )
