"""From logits to one number per sample: confidence, loss, scaled logit, bounded Gumbel map, soft margin.

Every function takes logits [..., N, C] and labels [N] and returns float64 [..., N]. All are computed from
log-softmax, so that a confidence near 1 neither overflows nor rounds to 1. Larger = more fitted, except `loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError

Floats = NDArray[np.float64]
Logits = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]
BLOCK, LEAST_ROWS = 65_536, 64
"""Numbers of a block of logits that stays in the processor's cache, and the fewest rows of one."""


def softmax(logits: Logits) -> Floats:
    """Class probabilities [..., N, C], in [0, 1], each row summing to 1."""
    v = logits.astype(np.float64)
    v -= v.max(axis=-1, keepdims=True)
    np.exp(v, out=v)
    v /= v.sum(axis=-1, keepdims=True)
    return v


def scaled_logit(logits: Logits, labels: Labels) -> Floats:
    """log(p / (1 - p)) of the true label, in nats, unbounded (Carlini et al. 2022).

    The codes of Wang et al. 2025 and of the NeurIPS 2023 challenge add 1e-45 to p and to 1 - p, which bounds it at
    103.3 in either direction. Here nothing is added, in any preset; the challenge's own score has its own.
    """
    if logits.ndim > 2:
        return np.stack([scaled_logit(layer, labels) for layer in logits])
    result = np.empty(len(labels))
    step = max(LEAST_ROWS, BLOCK // logits.shape[1])
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        y = labels[rows]
        v = np.array(
            logits[rows].T, dtype=np.float64, order="C"
        )  # reductions over a short last axis are slow
        own = v[y, np.arange(len(y))]
        v[y, np.arange(len(y))] = -np.inf
        top = v.max(axis=0)
        v -= top
        np.exp(v, out=v)
        result[rows] = (own - top) - np.log(v.sum(axis=0))
    return result


def loss_of(scaled: Floats) -> Floats:
    """`loss` from scaled logits of any shape."""
    return np.logaddexp(0.0, -scaled)


def confidence_of(scaled: Floats) -> Floats:
    """`confidence` from scaled logits of any shape."""
    return np.exp(-loss_of(scaled))


def logloss_of(scaled: Floats, eps1: float = 1e-2, eps2: float = 1e-5) -> Floats:
    """`logloss` from scaled logits of any shape."""
    return bounded_gumbel(confidence_of(scaled), eps1, eps2)


def loss(logits: Logits, labels: Labels) -> Floats:
    """Cross-entropy -log p of the true label, in nats, from 0; larger = less fitted."""
    return loss_of(scaled_logit(logits, labels))


def negative_loss(logits: Logits, labels: Labels) -> Floats:
    """log p of the true label, in nats, up to 0."""
    return -loss(logits, labels)


def confidence(logits: Logits, labels: Labels) -> Floats:
    """Softmax probability p of the true label, in [0, 1]."""
    return confidence_of(scaled_logit(logits, labels))


def of_losses(losses: Floats) -> Floats:
    """Logits [..., 2] of two classes from losses -log p of the first, in nats: log p - log(1 - p), and 0.

    A loss below 1e-12 counts as 1e-12, so that the logits are finite.
    """
    nats = np.maximum(losses, 1e-12)
    return np.stack([-nats - np.log(-np.expm1(-nats)), np.zeros_like(nats)], axis=-1)


def margin(logits: Logits, labels: Labels) -> Floats:
    """True-label logit minus the largest other logit, in nats, unbounded."""
    rows = np.arange(len(labels))
    values = logits.astype(np.float64)
    own = values[..., rows, labels].copy()
    values[..., rows, labels] = -np.inf
    others = values[..., 0].copy()
    for k in range(1, values.shape[-1]):  # a column at a time: a maximum over a short last axis is slow
        np.maximum(others, values[..., k], out=others)
    return np.asarray(own - others)


def bounded_gumbel(p: Floats, eps1: float = 1e-2, eps2: float = 1e-5) -> Floats:
    """Map a confidence through the bounded Gumbel link onto [0, 1] (IAM's "logloss" signal).

    r(p) = -log(eps1 - log(p + eps2)), then (r - r(0)) / (r(1) - r(0)). Raises `InputError` where
    eps1 <= log(1 + eps2), for which r is not defined at p = 1.
    """
    if eps1 <= np.log1p(eps2):
        raise InputError(f"eps1 = {eps1} must be larger than log(1 + eps2) = {np.log1p(eps2):.3g}.")
    low, high = -np.log(eps1 - np.log(eps2)), -np.log(eps1 - np.log1p(eps2))
    return np.asarray((-np.log(eps1 - np.log(p + eps2)) - low) / (high - low))


def logloss(logits: Logits, labels: Labels, eps1: float = 1e-2, eps2: float = 1e-5) -> Floats:
    """`bounded_gumbel` of the true-label confidence, in [0, 1] (Wang et al. 2025)."""
    return logloss_of(scaled_logit(logits, labels), eps1, eps2)


def taylor_soft_margin(
    logits: Logits, labels: Labels, temperature: float = 2.0, margin: float = 0.6
) -> Floats:
    """Taylor softmax of degree 3 with a margin on the true label (RMIA, Zarifzadeh et al. 2024).

    t = T(z_y - m) / (T(z_y - m) + sum of T(z_c)), z = logits / temperature, T(x) = 1 + x + x^2/2 + x^3/6.
    T is negative below about -1.6, so that t is not a probability in general.
    """
    rows = np.arange(len(labels))
    z = logits.astype(np.float64) / temperature
    own = z[..., rows, labels] - margin
    terms = 1 + z * (1 + z * (0.5 + z / 6))
    rest = terms.sum(axis=-1) - terms[..., rows, labels]
    top = 1 + own * (1 + own * (0.5 + own / 6))
    return np.asarray(top / (top + rest))


Transform = Callable[..., Floats]

SIGNALS: dict[str, Transform] = {
    "logloss": logloss,
    "probability": confidence,
    "taylor_soft_margin": taylor_soft_margin,
    "scaled_logit": scaled_logit,
    "negative_loss": negative_loss,
}
"""The signals that a measure may be asked to work on, by name. Larger = more fitted."""

OF_SCALED_LOGIT: dict[str, Callable[..., Floats]] = {
    "logloss": logloss_of,
    "probability": confidence_of,
    "scaled_logit": np.asarray,
    "negative_loss": lambda scaled: -loss_of(scaled),
}
"""Those of them that are a function of the scaled logit alone."""
