"""EMIA: is the loss of the sample high among losses that were never fitted?

Ye et al.: Enhanced Membership Inference Attacks against Machine Learning Models. CCS 2022, applied to unlearning
as in Wang et al. 2025 (IAM).

    population  (attack P)  share of population losses, under the unlearned model, strictly below the sample's
    reference   (attack R)  quantile of the sample's loss among its own losses under shadow models: linear between
                            the S sorted losses, 0 and 1000, which have the levels 0, 1/(S+1), ..., 1

`paper` computes log(1 + exp(-v_y)) from the raw true-label logit, which ignores the other logits and is not
the cross-entropy; `recommended` uses the cross-entropy and counts ties by half.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vestige.errors import MissingArray
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.fields import HOW_TO_GET
from vestige.signals.transforms import loss_of

Floats = NDArray[np.float64]
LARGEST = 1000.0


@register(
    "emia_population",
    needs=("unlearned",),
    uses=("population", "role"),
    unit="share of the population",
    range=(0.0, 1.0),
    distribution={"loss": ("true_logit",)},
    cites="Ye et al. 2022 (EMIA)",
    paper={"loss": "true_logit"},
)
def emia_population(
    signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy"
) -> Floats:
    """Share of never-seen samples whose loss under the unlearned model is smaller; uniform if never seen.

    The population is `population`, or else the holdout samples (each then counts itself as a tie).
    """
    if signals.population is None and not (signals.roles == "holdout").any():
        raise MissingArray(f"emia_population needs `population`: {HOW_TO_GET['population']}.")
    population = signals.population or signals.of_role("holdout")
    known = np.sort(_losses(population, loss))
    own = _losses(signals, loss)
    below = np.searchsorted(known, own, side="left")
    if loss == "true_logit":
        return below / len(known)
    return (below + np.searchsorted(known, own, side="right")) / (2 * len(known))


@register(
    "emia_reference",
    needs=("unlearned", "shadow_out"),
    unit="quantile",
    range=(0.0, 1.0),
    distribution={"loss": ("true_logit",)},
    cites="Ye et al. 2022 (EMIA)",
    paper={"loss": "true_logit"},
)
def emia_reference(
    signals: Signals, *, loss: Literal["cross_entropy", "true_logit"] = "cross_entropy"
) -> Floats:
    """Quantile of the sample's loss among its losses under never-seen models; 0.5 = in their middle."""
    known = np.sort(_losses(signals, loss, "shadow_out"), axis=0)
    ends = np.zeros((1, len(signals))), np.full((1, len(signals)), LARGEST)
    knots = np.concatenate([ends[0], np.minimum(known, LARGEST), ends[1]])
    own = np.clip(_losses(signals, loss), 0, LARGEST)
    left = np.clip((knots <= own).sum(axis=0) - 1, 0, len(knots) - 2)
    columns = np.arange(len(signals))
    low, high = knots[left, columns], knots[left + 1, columns]
    inside = np.divide(own - low, high - low, out=np.zeros_like(own), where=high > low)
    return np.asarray((left + inside) / (len(knots) - 1))


def _losses(signals: Signals, loss: str, field: str = "unlearned") -> Floats:
    """Return the losses [N] under the model of `field`, or [S, N] under its models."""
    if loss == "cross_entropy":
        return loss_of(signals.scaled_logits(field))
    logits = signals.require(field, "emia")
    return loss_of(logits[..., np.arange(len(signals)), signals.labels].astype(np.float64))
