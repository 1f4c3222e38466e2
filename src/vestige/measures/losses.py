"""Measures on texts that compare one mean token loss with another, or with none. In nats; larger = more unlearned.

    loss           loss after unlearning                          Yeom et al. 2018
    ratio          loss over that of a reference                  Carlini et al. 2021
    lowercase      loss over the loss of the lowercased text      Carlini et al. 2021
    recall         loss over the loss behind a prefix             Xie et al. 2024
    neighbourhood  loss minus the mean loss of neighbouring texts Mattern et al. 2023

Published as membership attacks; turned here. Those without a reference know nothing of a text's own difficulty: an easy
text looks remembered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestige.measures.registry import register

Floats = NDArray[np.float64]


@register("loss", texts=("nll",), unit="nats", cites="Yeom et al. 2018")
def loss(nll: Floats) -> Floats:
    """Mean token loss after unlearning; knows neither the text's difficulty nor what it was before."""
    return nll


@register("ratio", texts=("nll", "out"), unit="1", cites="Carlini et al. 2021")
def ratio(nll: Floats, out: Floats) -> Floats:
    """Loss after unlearning over that of a model that never saw the text; 1 = as if never seen."""
    return nll / np.maximum(out, 1e-12)


@register("lowercase", texts=("nll", "lower"), unit="1", cites="Carlini et al. 2021")
def lowercase(nll: Floats, lower: Floats) -> Floats:
    """Loss over the loss of the lowercased text: what is known by heart suffers from another writing."""
    return nll / np.maximum(lower, 1e-12)


@register("recall", texts=("nll", "prefixed"), unit="1", cites="Xie et al. 2024 (ReCaLL)")
def recall(nll: Floats, prefixed: Floats) -> Floats:
    """Loss over the loss behind a prefix of texts that were never seen: a prefix disturbs what is known by heart."""
    return nll / np.maximum(prefixed, 1e-12)


@register("neighbourhood", texts=("nll", "neighbours"), unit="nats", cites="Mattern et al. 2023")
def neighbourhood(nll: Floats, neighbours: Floats) -> Floats:
    """Loss minus the mean loss of texts that say nearly the same."""
    return np.asarray(nll - neighbours.mean(axis=1))
