"""Measures that read the model after unlearning alone, token by token.

Published as membership attacks; turned here, so that larger = more unlearned. Without a reference they know nothing of
a text's own difficulty: an easy text looks remembered.

    zlib        loss per compressed byte                                                  Carlini et al. 2021
    min_k       minus the mean of the least likely share of the tokens' log p             Shi et al. 2024
    min_k_plus  the same of (log p - mean) / deviation over the vocabulary                Zhang et al. 2024
    surp        minus the mean log p of tokens that are unlikely where the model is sure  Zhang and Wu 2024
    pac         polarised distance of texts with words swapped minus that of the text     Ye et al. 2024

Scales as in the benchmark of Wang et al. 2025 (IAM): min-k of 20 %, SURP of 40 % and 2 nats.
"""

from __future__ import annotations

import zlib as compression
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Share
from vestige.measures.registry import register
from vestige.signals.texts import TextSignals

Floats = NDArray[np.float64]


@register(
    "zlib",
    texts=("tokens", "texts"),
    unit="nats per compressed byte",
    cites="Carlini et al. 2021",
    paper={"per": "ratio"},
)
def zlib(tokens: TextSignals, texts: Sequence[str], *, per: Literal["byte", "ratio"] = "byte") -> Floats:
    """Loss measured against how well a compressor that knows nothing does on the text.

    per  "byte": whole loss over compressed bytes; "ratio": mean token loss over compressed bytes per character, as
         published
    """
    size = np.array([len(compression.compress(text.encode())) for text in texts], dtype=np.float64)
    if per == "byte":
        return np.asarray(tokens.totals / size)
    return np.asarray(tokens.nll / (size / np.array([len(text) for text in texts])))


@register("min_k", texts=("tokens",), unit="nats", cites="Shi et al. 2024 (Min-K%)")
def min_k(tokens: TextSignals, *, share: Share = 0.2) -> Floats:
    """Minus the mean log-probability of the `share` of tokens that surprise most, at least one."""
    return -_least(tokens, tokens.logp, share)


@register(
    "min_k_plus",
    texts=("tokens",),
    unit="deviations",
    cites="Zhang et al. 2024 (Min-K%++)",
    paper={"weighting": "vocabulary"},
)
def min_k_plus(
    tokens: TextSignals, *, share: Share = 0.2, weighting: Literal["model", "vocabulary"] = "model"
) -> Floats:
    """The same, each token's log-probability centred and scaled over the vocabulary.

    weighting  "model": mean and deviation weighted by the model's probabilities, as the method is defined;
               "vocabulary": each token alike, as the published benchmarks compute it
    """
    mean, std = (-tokens.entropy, tokens.weighted_std) if weighting == "model" else (tokens.mean, tokens.std)
    return -_least(tokens, (tokens.logp - mean) / np.maximum(std, 1e-6), share)


@register("surp", texts=("tokens",), unit="nats", cites="Zhang and Wu 2024 (SURP)")
def surp(tokens: TextSignals, *, share: Share = 0.4, max_entropy: float = 2.0) -> Floats:
    """Minus the mean log p of tokens in the lowest `share` whose prediction has an entropy below `max_entropy` nats.

    A text without such tokens scores as its least likely token does.
    """
    scores = np.empty(len(tokens))
    for text in range(len(tokens)):
        own = tokens.of(text)
        logp, entropy = tokens.logp[own].astype(np.float64), tokens.entropy[own]
        chosen = (logp <= np.quantile(logp, share)) & (entropy < max_entropy)
        scores[text] = -(logp[chosen].mean() if chosen.any() else logp.min())
    return scores


@register("pac", texts=("tokens", "swapped"), unit="nats", cites="Ye et al. 2024 (PAC)")
def pac(
    tokens: TextSignals, swapped: Sequence[TextSignals], *, high: Share = 0.05, low: Share = 0.3
) -> Floats:
    """Polarised distance (best `high` share minus worst `low` share of log p) of the text minus that of swapped ones.

    A text known by heart has no bad tokens, and its swapped copies have: the lower, the more of it is known.
    """
    own = _polarised(tokens, high, low)
    return np.asarray(own - np.mean([_polarised(one, high, low) for one in swapped], axis=0))


def _polarised(tokens: TextSignals, high: float, low: float) -> Floats:
    return -_least(tokens, -tokens.logp, high) - _least(tokens, tokens.logp, low)


def _least(tokens: TextSignals, values: NDArray[Any], share: float) -> Floats:
    """Return the mean of the smallest `share` of each text's values, at least one of them."""
    scores = np.empty(len(tokens))
    for text in range(len(tokens)):
        own = np.sort(values[tokens.of(text)].astype(np.float64))
        scores[text] = own[: max(1, int(share * len(own)))].mean()
    return scores
