"""Epsilon-hat of 1,000 samples x 80 x 80 models of 10 classes, with its null, against a loop over samples and
thresholds that computes the same three medians from the same logits; NumPy counts the errors in the loop."""

from __future__ import annotations

import time

import numpy as np

from vestige.evaluation import epsilon

SAMPLES, MODELS, CLASSES = 1_000, 80, 10


def looped(retrained: np.ndarray, unlearned: np.ndarray, label: int, delta: float = 0.05) -> float:
    """The published estimator of one sample from logits [models, classes], threshold by threshold."""

    def margin(logits: np.ndarray) -> np.ndarray:
        return logits[:, label] - np.delete(logits, label, axis=1).max(axis=1)

    def log_density(x: np.ndarray, group: np.ndarray) -> np.ndarray:
        return -0.5 * ((x - group.mean()) / group.std()) ** 2 - np.log(group.std())

    retrained, unlearned = margin(retrained), margin(unlearned)
    negative, positive = (
        log_density(x, unlearned) - log_density(x, retrained) for x in (retrained, unlearned)
    )
    if np.median(negative) > np.median(positive):
        negative, positive = positive, negative
    best = -np.inf
    for threshold in np.concatenate([negative, positive]):
        fpr, fnr = (negative >= threshold).mean(), (positive < threshold).mean()
        if fpr == 0 and fnr == 0:
            return np.inf
        if fpr == 0 or fnr == 0:
            continue
        if fpr < 1 - delta:
            best = max(best, np.log((1 - delta - fpr) / fnr))
        if fnr < 1 - delta:
            best = max(best, np.log((1 - delta - fnr) / fpr))
    return best


def main() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, SAMPLES)
    retrained, unlearned = (rng.normal(0, 1, (MODELS, SAMPLES, CLASSES)) for _ in range(2))
    retrained[:, np.arange(SAMPLES), labels] += 2
    unlearned[:, np.arange(SAMPLES), labels] += 3
    half = MODELS // 2
    pairs = (retrained, unlearned), (retrained[:half], unlearned[:half]), (retrained[:half], retrained[half:])
    start = time.perf_counter()
    slow = [np.array([looped(a[:, i], b[:, i], labels[i]) for i in range(SAMPLES)]) for a, b in pairs]
    loop = time.perf_counter() - start
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        found = epsilon(retrained, unlearned, labels, preset="eth2023")
        taken.append(time.perf_counter() - start)
    ours = float(np.median(taken))
    print(f"loop {loop:.2f} s, ours {1e3 * ours:.1f} ms: {loop / ours:.0f}x (wanted: at least 200x)")
    medians = found.median, found.at_null_counts, found.null
    difference = max(abs(m - np.median(s)) for m, s in zip(medians, slow, strict=True))
    finite = np.isfinite(slow[0])
    print(f"largest difference of the three medians {difference:.1e}, ", end="")
    print(f"of the values {np.abs(found.values - slow[0])[finite].max():.1e}")
