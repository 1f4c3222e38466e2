"""Measures that read the model after unlearning alone, token by token.

Published as membership attacks; turned here, so that larger = more unlearned. Without a reference they know nothing of
a text's own difficulty: an easy text looks remembered.

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
    r"""Loss measured against how well a compressor that knows nothing does on the text.

    Parameters
    ----------
    per : {"byte", "ratio"}
        "byte": whole loss over compressed bytes; "ratio": mean token loss over compressed bytes per
        character, as published.

    Notes
    -----
    .. math::

        \mathrm{score} = \frac{\sum_t -\log p_u(x_t \,|\, x_{<t})}{\mathrm{bytes}(\mathrm{zlib}(x))}

    **When to use.** Where no second model is at hand: a compressor is the reference that never saw anything.

    **When it fails.** A compressor sees repetition, and not how hard a text is to a language model: 0.470
    against holdout texts under retraining, and no better than the loss on forgotten against retained texts
    (lab book, texts; reproduction, Table 6).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Carlini et al.: Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv 2012.07805.
    """
    size = np.array([len(compression.compress(text.encode())) for text in texts], dtype=np.float64)
    if per == "byte":
        return np.asarray(tokens.totals / size)
    return np.asarray(tokens.nll / (size / np.array([len(text) for text in texts])))


@register("min_k", texts=("tokens",), unit="nats", cites="Shi et al. 2024 (Min-K%)")
def min_k(tokens: TextSignals, *, share: Share = 0.2) -> Floats:
    r"""Minus the mean log-probability of the `share` of tokens that surprise most, at least one.

    Parameters
    ----------
    share : float
        Of the tokens of a text.

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} \log p_u(x_t \,|\, x_{<t})

    M is the `share` of tokens with the smallest probability.

    **When to use.** Where only the model after unlearning is at hand: a text known by heart has no surprising
    tokens.

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (lab book, texts).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Shi et al.: Detecting Pretraining Data from Large Language Models. ICLR 2024, arXiv 2310.16789.
    """
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
    r"""The same, each token's log-probability centred and scaled over the vocabulary.

    Parameters
    ----------
    share : float
        Of the tokens of a text.
    weighting : {"model", "vocabulary"}
        "model": mean and deviation weighted by the model's probabilities, as the method is defined;
        "vocabulary": each token alike, as the published benchmarks compute it.

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} \frac{\log p_u(x_t \,|\, x_{<t}) - \mu_t}{\sigma_t}

    mu_t and sigma_t are the mean and the standard deviation of the log-probability over the vocabulary,
    weighted by the model, or each token alike as published; M is the `share` of tokens with the smallest
    values.

    **When to use.** As `min_k`, where predictions differ in how sure they are.

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (lab book, texts). Published benchmarks compute it
    with an unweighted vocabulary (`preset="paper"`), which is not how it is defined.

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Zhang et al.: Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models. 2024,
    arXiv 2404.02936.
    """
    mean, std = (-tokens.entropy, tokens.weighted_std) if weighting == "model" else (tokens.mean, tokens.std)
    return -_least(tokens, (tokens.logp - mean) / np.maximum(std, 1e-6), share)


@register("surp", texts=("tokens",), unit="nats", cites="Zhang and Wu 2024 (SURP)")
def surp(tokens: TextSignals, *, share: Share = 0.4, max_entropy: float = 2.0) -> Floats:
    r"""Minus the mean log p of tokens in the lowest `share` whose prediction has an entropy below `max_entropy` nats.

    A text without such tokens scores as its least likely token does.

    Parameters
    ----------
    share : float
        Quantile of the text's own log-probabilities below which a token surprises.
    max_entropy : float
        In nats, of predictions that are sure.

    Notes
    -----
    .. math::

        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} \log p_u(x_t \,|\, x_{<t}), \qquad
        M = \left\{ t : \log p_u(x_t \,|\, x_{<t}) \le q_s, \; H_t < h \right\}

    q_s is the quantile of the text's own log-probabilities at `share`, H_t the entropy of the prediction and h
    is `max_entropy`.

    **When to use.** As `min_k`, on tokens where the model is sure and wrong.

    **When it fails.** It knows nothing of a text's own difficulty: an easy text looks remembered, a hard one
    unlearned. Against texts that no model saw it is at chance, as it must be, so that only a difference
    between groups of the same kind says anything (lab book, texts). It tells forgotten from retained
    texts least sharply of a model that was taught wrong texts: an AUC of 72, where `loss` has 99
    (reproduction, Table 6).

    **Cost.** One pass of the model after unlearning.

    References
    ----------
    Zhang, Wu: Adaptive Pre-training Data Detection for Large Language Models via Surprising Tokens. 2024, arXiv
    2407.21248.
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
    r"""Polarised distance (best `high` share minus worst `low` share of log p) of the text minus that of swapped ones.

    A text known by heart has no bad tokens, and its swapped copies have: the lower, the more of it is known.

    Parameters
    ----------
    high : float
        Share of the best tokens.
    low : float
        Share of the worst tokens.

    Notes
    -----
    .. math::

        \mathrm{score} = d(x) - \frac{1}{K} \sum_{k=1}^{K} d(\tilde x_k), \qquad d(x) =
        \mathrm{mean}_{\mathrm{high}} \log p_u - \mathrm{mean}_{\mathrm{low}} \log p_u

    The tilde marks copies of the text with words swapped; the means are over the `high` best and the `low`
    worst share of tokens.

    **When to use.** Where no second model is at hand: a text known by heart has no bad tokens, and its
    swapped copies have.

    **When it fails.** It depends on how words are swapped. Against holdout texts it is at chance (0.477 under
    retraining; lab book, texts).

    **Cost.** K + 1 passes of the model after unlearning.

    References
    ----------
    Ye et al.: Data Contamination Calibration for Black-box LLMs. Findings of ACL 2024, arXiv 2405.11930.
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
