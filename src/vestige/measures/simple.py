"""One-line controls: the signal of the unlearned model alone, and its difference to the original's.

The SimpleDiff family of Wang et al. 2025 (IAM), arXiv 2506.06112. A measure that does not beat these on the
data at hand is not worth its shadow models. The two presets are the same. Scaled logits have no floor of 1e-45
under their logarithms, as the authors' have; see `vestige.signals.transforms.scaled_logit`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Seed
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals import transforms as signal

Floats = NDArray[np.float64]
IAM = "Wang et al. 2025 (IAM)"


@register("random", unit="probability", range=(0.0, 1.0), cites="control")
def random(signals: Signals, *, seed: Seed = 0) -> Floats:
    """Uniform noise, fixed by each sample's id: what a measure that knows nothing scores; its AUC is 0.5."""
    digests = (hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest() for name in signals.names)
    return np.frombuffer(b"".join(digests), ">u8") / 2.0**64


@register("confidence", needs=("unlearned",), unit="probability", range=(-1.0, 0.0), cites=IAM)
def confidence(signals: Signals) -> Floats:
    """-p_u: minus the true-label confidence of the unlearned model; needs no other model."""
    return -signal.confidence_of(signals.scaled_logits("unlearned"))


@register(
    "confidence_difference", needs=("unlearned", "original"), unit="probability", range=(-1.0, 1.0), cites=IAM
)
def confidence_difference(signals: Signals) -> Floats:
    """p_o - p_u: how much true-label confidence was lost; 0 = unchanged."""
    return _drop(signal.confidence_of, signals)


@register("loss_difference", needs=("unlearned", "original"), unit="nats", cites=IAM)
def loss_difference(signals: Signals) -> Floats:
    """CE_u - CE_o: how much the cross-entropy rose; 0 = unchanged."""
    return -_drop(signal.loss_of, signals)


@register("scaled_logit_difference", needs=("unlearned", "original"), unit="nats", cites=IAM)
def scaled_logit_difference(signals: Signals) -> Floats:
    """logit p_o - logit p_u: how much the log-odds of the true label fell; 0 = unchanged."""
    return _drop(np.asarray, signals)


@register("logloss_difference", needs=("unlearned", "original"), unit="signal", range=(-1.0, 1.0), cites=IAM)
def logloss_difference(signals: Signals, *, eps1: float = 1e-2, eps2: float = 1e-5) -> Floats:
    """Difference of the bounded Gumbel signal that IAM works on; 0 = unchanged."""
    return _drop(lambda scaled: signal.logloss_of(scaled, eps1, eps2), signals)


def _drop(of_scaled_logit: Callable[[Floats], Floats], signals: Signals) -> Floats:
    before, after = (of_scaled_logit(signals.scaled_logits(name)) for name in ("original", "unlearned"))
    return before - after
