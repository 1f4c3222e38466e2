"""EMIA: is the loss of the sample high among losses that were never fitted?

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
from vestige.signals.of_models import signal_of
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
    r"""Share of never-seen samples whose loss under the unlearned model is smaller; uniform if never seen.

    The population is `population`, or else the holdout samples (each then counts itself as a tie).

    Parameters
    ----------
    loss : {"cross_entropy", "true_logit"}
        "cross_entropy", or "true_logit": log(1 + exp(-v)) of the raw logit v, as published.

    Notes
    -----
    .. math::

        \mathrm{score}(x) = \frac{1}{|Z|} \left| \left\{ z \in Z : \ell_u(z) < \ell_u(x) \right\} \right|

    Z is the population of never-seen records, and the loss is that of the unlearned model.

    **When to use.** Where there is nothing but the unlearned model and never-seen records. Its null is exact:
    an exactly unlearned record has a uniform score.

    **When it fails.** It knows nothing of a record's own difficulty. On part of a class it points the wrong
    way (0.323 on Location-30, 0.318 on CIFAR-10): the class keeps the model confident, and its easy records
    look more retained than the rest (lab book, results: which measure).

    **Cost.** No further model.

    References
    ----------
    Ye, Maddi, Murakonda, Bindschaedler, Shokri: Enhanced Membership Inference Attacks against Machine Learning
    Models. CCS 2022, arXiv 2111.09679.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
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
    r"""Quantile of the sample's loss among its losses under never-seen models; 0.5 = in their middle.

    Parameters
    ----------
    loss : {"cross_entropy", "true_logit"}
        "cross_entropy", or "true_logit": log(1 + exp(-v)) of the raw logit v, as published.

    Notes
    -----
    .. math::

        \mathrm{score}(x) = \hat F_x\left( \ell_u(x) \right), \qquad \hat F_x \; \mathrm{through} \; \left(
        0, 0 \right), \left( \ell_{(s)}(x), \tfrac{s}{S + 1} \right), \left( 1000, 1 \right)

    The l_(s) are the record's own losses under the S shadow models in ascending order; between the points the
    function is linear.

    **When to use.** With many shadows and without the original: a quantile among never-seen models, without
    an assumed distribution.

    **When it fails.** With one shadow it has two pieces and says little: 0.914 on Location-30 (`iam` 0.974),
    0.520 on part of a class of CIFAR-10 (lab book, results: which measure). As published it takes the raw
    logit of the true label, which ignores all others.

    **Cost.** One shadow model, and as many as the quantile should be fine.

    References
    ----------
    Ye, Maddi, Murakonda, Bindschaedler, Shokri: Enhanced Membership Inference Attacks against Machine Learning
    Models. CCS 2022, arXiv 2111.09679.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """
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
        return -signal_of(signals, field, "negative_loss")
    logits = signals.require(field, "emia")
    return loss_of(logits[..., np.arange(len(signals)), signals.labels].astype(np.float64))
