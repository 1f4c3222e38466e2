"""InfoRMIA by tokens: how many nats the tokens of a text tell beyond a reference model.

Only the abstract and summaries of the paper were at hand. The form by tokens follows from that of samples, with the
vocabulary in the place of the population, and the reference in that of p(x).
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
    r"""Minus the mean information of the `share` of a text's tokens that tell most beyond a reference; 0 = as it.

    Parameters
    ----------
    share : float
        Of the tokens, at least one; 1: all of them, as published.

    Notes
    -----
    .. math::

        i(x_t) = \log \frac{p_u(x_t \,|\, x_{<t})}{q(x_t \,|\, x_{<t})}
            + \mathrm{KL}\left(q(\cdot \,|\, x_{<t}) \,\|\, p_u(\cdot \,|\, x_{<t})\right), \qquad
        \mathrm{score} = -\frac{1}{|M|} \sum_{t \in M} i(x_t)

    q is a reference that never saw the text, M the `share` of tokens that tell most. A token that the reference would
    write tells 0 on average, whatever comes before it: each token has its own zero.

    **When to use.** Where a reference of the same vocabulary is at hand, and a text may be remembered in a few tokens,
    such as a name: with a small `share` these are not averaged away.

    **When it fails.** It does not know what the original made of the text, and a reference that was trained on other
    kinds of texts finds every token of this kind telling. No table of the lab book measures it.

    **Cost.** A pass of the model after unlearning and one of the reference, together: the whole vocabulary of both is
    read, `vestige.signals.token_information`.

    References
    ----------
    Tao, Shokri: (Token-Level) InfoRMIA: Stronger Membership Inference and Memorization Assessment for LLMs.
    ICLR 2026, arXiv 2510.05582.
    """
    scores = np.empty(len(information))
    for text, value in enumerate(information):
        told = np.asarray(value, np.float64)
        if told.ndim != 1 or not len(told) or not np.isfinite(told).all():
            raise InputError(f"information[{text}] must be finite numbers, one for each token of the text.")
        scores[text] = -np.sort(told)[::-1][: max(1, int(share * len(told)))].mean()
    return scores
