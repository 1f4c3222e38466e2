"""Measures that see a text as one number a model: its mean token loss in nats.

Wang et al.: Towards Lifecycle Unlearning Commitment Management. USENIX Security 2025 (IAM), section on language
models. With p = exp(-loss), the likelihood of a token:

    loss        loss after unlearning
    ratio       loss after / loss of the reference
    linear_gap  (after - before) / (reference - before)
    lira        log-likelihood ratio of h = log(p / (1 - p)) around the reference's and around the original's
    rmia_ratio  log of the mean likelihood of the two references over that of the unlearned model
    rmia_online share of other texts z with p(x) / p(z) at most gamma, p each relative to the two references' mean
    iam         g = -log(0.1 - log(1e-5 + 1 - p)) rises with the loss; X_a = (1 - a) g(before) + a g(reference);
                score = sum of w_a F_a(g(after)), F_a Gumbel with the mean and scale of X_a, w_a ~ a

All are turned so that larger = more unlearned; the authors print membership, 1 - score.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError, unknown
from vestige.llm.measures.registry import register
from vestige.measures.interpolation import Moments, interpolate

Floats = NDArray[np.float64]
IAM = "Wang et al. 2025 (IAM)"
EPS1, EPS2, STEPS = 0.1, 1e-5, 1000


@register("loss", unit="nats", cites="Yeom et al. 2018")
def loss(nll: Floats) -> Floats:
    """Mean token loss after unlearning; knows neither the text's difficulty nor what it was before."""
    return nll


@register("ratio", unit="1", cites="Carlini et al. 2021")
def ratio(nll: Floats, out: Floats) -> Floats:
    """Loss after unlearning over that of a model that never saw the text; 1 = as if never seen."""
    return nll / np.maximum(out, 1e-12)


@register("linear_gap", unit="share of the way", cites=IAM)
def linear_gap(nll: Floats, fit: Floats, out: Floats) -> Floats:
    """Share of the way from the loss before unlearning (0) to the reference's (1)."""
    way = out - fit
    return (nll - fit) / np.where(np.abs(way) < 1e-12, np.copysign(1e-12, way), way)


@register("lira_online", unit="nats", cites="Carlini et al. 2022 (LiRA)", paper={"variance": "per_sample"})
def lira_online(
    nll: Floats, fit: Floats, out: Floats, *, variance: Literal["pooled", "per_sample"] = "pooled"
) -> Floats:
    """Log-likelihood ratio "never seen" against "still fitted"; 0 = both as likely.

    variance  "pooled": that of the reference's h over all texts; "per_sample": 1e-60, as published, where one model
              has no variance
    """
    if variance not in ("pooled", "per_sample"):
        raise InputError(unknown("variance", variance, ("pooled", "per_sample")))
    after, before, never = (_log_odds(x) for x in (nll, fit, out))
    size = 1e-60 if variance == "per_sample" else float(np.var(never))
    if size == 0 or (np.ptp(never) == 0 and variance == "pooled"):
        raise InputError("lira_online: the reference has the same loss on every text; there is no scale.")
    return (np.square(after - before) - np.square(after - never)) / (2 * size)


@register("rmia_ratio", unit="nats", cites="Zarifzadeh et al. 2024 (RMIA)")
def rmia_ratio(nll: Floats, fit: Floats, out: Floats) -> Floats:
    """Log of the mean likelihood of original and reference over that of the unlearned model; needs no population."""
    return np.asarray(np.logaddexp(-fit, -out) - np.log(2) + nll)


@register("rmia_online", unit="share", cites="Zarifzadeh et al. 2024 (RMIA)", paper={"gamma": 2.0})
def rmia_online(nll: Floats, fit: Floats, out: Floats, population: Floats, *, gamma: float = 1.0) -> Floats:
    """Share of other texts that the text does not dominate: its likelihood ratio is at most `gamma` times theirs.

    gamma  published: 2, which ties every text that is not far likelier than the others
    """
    if not gamma > 0:
        raise InputError(f"rmia_online: gamma is {gamma}; above 0 is wanted.")
    own = -rmia_ratio(nll, fit, out)
    others = np.sort(-rmia_ratio(*population.T))
    return np.asarray(1 - np.searchsorted(others, own - np.log(gamma), side="left") / len(others))


@register("iam", unit="log-odds", cites=IAM, paper={"batch": 64, "steps": STEPS, "output": "score"})
def iam(
    nll: Floats,
    fit: Floats,
    out: Floats,
    *,
    batch: int | None = None,
    steps: int | None = None,
    output: Literal["score", "log_odds"] = "log_odds",
) -> Floats:
    """Where a text lies between the model before unlearning and one that never saw it; larger = nearer the latter.

    batch   texts that share one scale, in their order (published: 64, so that a score depends on its neighbours);
            None: one scale over all texts
    steps   interpolation steps (published: 1000), or None for the integral by quadrature
    output  "log_odds" of the score in nats, which does not saturate, or the "score" from 0 to 1
    """
    if output not in ("score", "log_odds"):
        raise InputError(unknown("output", output, ("score", "log_odds")))
    if batch is not None and batch < 2:
        raise InputError(f"iam: batch is {batch}; at least 2 texts must share a scale.")
    after, before, never = (_gumbel(x) for x in (nll, fit, out))
    scores = np.empty_like(nll)
    for start in range(0, len(nll), batch or len(nll)):
        part = slice(start, start + (batch or len(nll)))
        pair = np.stack([before[part], never[part]])
        spread = np.cov(pair, bias=True)
        moments = Moments(float(spread[0, 0]), float(spread[1, 1]), float(spread[0, 1]))
        if np.ptp(before[part]) == 0:
            raise InputError(
                "iam: the model before unlearning has the same loss on all texts that share a scale."
            )
        membership = interpolate(
            after[part], before[None, part], never[part], moments=moments, steps=steps, output=output
        )
        scores[part] = -membership if output == "log_odds" else 1 - membership
    return scores


def _log_odds(nll: Floats) -> Floats:
    """log(p / (1 - p)) of p = exp(-nll), finite at a loss of 0."""
    return -nll - np.log(-np.expm1(-np.maximum(nll, 1e-16)))


def _gumbel(nll: Floats) -> Floats:
    return np.asarray(-np.log(EPS1 - np.log(EPS2 - np.expm1(-nll))))
