"""EMIA: is the loss of the sample high among losses of samples that the model never saw?

Ye et al.: Enhanced Membership Inference Attacks against Machine Learning Models. CCS 2022 (attack P), applied
to unlearning as in Wang et al. 2025 (IAM): the share of population losses strictly below the sample's.

`paper` computes log(1 + exp(-v_y)) from the raw true-label logit, which ignores the other logits and is not
the cross-entropy; `recommended` uses the cross-entropy and counts ties by half.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, MissingArray, unknown
from vestige.measures.registry import register
from vestige.signals import Signals, transforms
from vestige.signals.record import HOW_TO_GET

Floats = NDArray[np.float64]
LOSSES = ("cross_entropy", "true_logit")


@register(
    "emia_population",
    needs=("unlearned",),
    uses=("population", "role"),
    unit="share of the population",
    range=(0.0, 1.0),
    cites="Ye et al. 2022 (EMIA)",
    paper={"loss": "true_logit"},
)
def emia_population(
    signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy"
) -> Floats:
    """Share of never-seen samples whose loss under the unlearned model is smaller; uniform if never seen.

    The population is `population`, or else the holdout samples (each then counts itself as a tie).
    """
    if loss not in LOSSES:
        raise InputError(f"emia_population: {unknown('loss', loss, LOSSES)}")
    if signals.population is None and not (signals.roles == "holdout").any():
        raise MissingArray(f"emia_population needs `population`: {HOW_TO_GET['population']}.")
    population = signals.population or signals.of_role("holdout")
    known = np.sort(_losses(population, loss))
    own = _losses(signals, loss)
    below = np.searchsorted(known, own, side="left")
    if loss == "true_logit":
        return below / len(known)
    return (below + np.searchsorted(known, own, side="right")) / (2 * len(known))


def _losses(signals: Signals, loss: str) -> Floats:
    rows: list[Any] = []
    for part in signals.chunks():
        logits, labels = signals.unlearned[part], signals.labels[part]
        if loss == "cross_entropy":
            rows.append(transforms.loss(logits, labels))
        else:
            own = logits[np.arange(len(labels)), labels].astype(np.float64)
            rows.append(np.logaddexp(0.0, -own))
    return np.concatenate(rows)
