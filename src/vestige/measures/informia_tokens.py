"""InfoRMIA by tokens: how many nats the tokens of a text tell beyond a reference model.

Tao and Shokri: (Token-Level) InfoRMIA: Stronger Membership Inference and Memorization Assessment for LLMs. ICLR 2026,
arXiv 2510.05582. Its abstract and summaries of it were at hand; the form by tokens follows from that of samples, with
the vocabulary in the place of the population, and the reference in that of p(x):

    i(x)  = log p_u(x) - log p(x) + KL(p || p_u)    of each token x behind its past
    score = - mean of i over the tokens of the text

Every token has its own zero: what the reference would write there tells 0 on average. Where a text is remembered in a
few tokens, such as a name, a `share` of those that tell most is sharper than the mean of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Share
from vestige.errors import InputError
from vestige.measures.registry import register

Floats = NDArray[np.float64]


@register("informia_tokens", texts=("information",), unit="nats", cites="Tao and Shokri 2026 (InfoRMIA)")
def informia_tokens(information: Sequence[NDArray[Any]], *, share: Share = 1.0) -> Floats:
    """Minus the mean information of the `share` of a text's tokens that tell most beyond a reference; 0 = as it.

    share  of the tokens, at least one; 1: all of them, as published
    """
    scores = np.empty(len(information))
    for text, value in enumerate(information):
        told = np.asarray(value, np.float64)
        if told.ndim != 1 or not len(told) or not np.isfinite(told).all():
            raise InputError(f"information[{text}] must be finite numbers, one for each token of the text.")
        scores[text] = -np.sort(told)[::-1][: max(1, int(share * len(told)))].mean()
    return scores
