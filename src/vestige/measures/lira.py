"""LiRA: likelihood of the scaled logit under models that saw the sample and models that did not.

`paper` adds 1e-30 to the standard deviation over shadows and takes 1e-30 for that of the original. With one shadow
both are 1e-30; with two or more the online score is |lambda_u - lambda_o| on a scale of 1e59 whatever the shadows
say. `recommended` uses one pooled standard deviation: within samples over shadows where there are two, else between
original and shadow. Differs from the authors in both: they put a floor of 1e-45 under both logarithms of lambda,
which holds it within 103 nats; here it is exact at any logit.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vestige.errors import InputError
from vestige.measures.calibration import calibration_rows
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.of_models import over_shadows

Floats = NDArray[np.float64]
CARLINI = "Carlini et al. 2022 (LiRA)"
TINY = 1e-30


@register(
    "lira_offline",
    needs=("unlearned", "shadow_out"),
    uses=("calibration", "role"),
    unit="standard deviations",
    cites=CARLINI,
    paper={"variance": "per_sample", "tail": "two_sided"},
)
def lira_offline(
    signals: Signals,
    *,
    variance: Literal["pooled", "per_sample"] = "pooled",
    tail: Literal["one_sided", "two_sided", "quantile"] = "one_sided",
) -> Floats:
    r"""How far the scaled logit lies below that of models that never saw the sample; 0 = at their mean.

    Parameters
    ----------
    variance : {"pooled", "per_sample"}
        "pooled" over samples, or "per_sample" over shadows, with 1e-30 added.
    tail : {"one_sided", "two_sided", "quantile"}
        "one_sided": -(lambda_u - mu)/sd, in standard deviations, larger = more unlearned; "two_sided":
        log-density under never-seen models, in nats; "quantile": the first through the normal CDF. Published:
        two-sided for random forget sets, the quantile for classes and parts of them, where with one shadow it
        is 0 or 1.

    Notes
    -----
    .. math::

        \lambda = \log \frac{p}{1 - p}, \qquad \mathrm{score} = -\frac{\lambda_u - \mu_S}{\sigma_S}

    mu_S and sigma_S are the mean and the standard deviation of a record's scaled logit under shadow models.
    "two_sided" is the log-density instead, "quantile" the normal distribution function.

    **When to use.** Where the original is not at hand, and a score in standard deviations of never-seen
    models is wanted.

    **When it fails.** It does not know what the record was fitted to: 0.868 on random requests of Location-30
    (`iam` 0.974), 0.519 on part of a class of Adult (lab book, results: which measure). As published its
    variance is each record's own: with one shadow 1e-30, and the score a step.

    **Cost.** One shadow model; several give each record a variance of its own.

    References
    ----------
    Carlini et al.: Membership Inference Attacks From First Principles. IEEE S&P 2022, arXiv 2112.03570.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """
    u, mean, _ = outputs = outputs_of(signals)
    sd = deviation_of(signals, outputs, variance, "lira_offline")
    z = (u - mean) / sd
    if tail == "two_sided":
        return _log_normal(z, sd)
    return -z if tail == "one_sided" else special.ndtr(-z)


@register(
    "lira_online",
    needs=("unlearned", "original", "shadow_out"),
    uses=("calibration", "role"),
    unit="nats",
    cites=CARLINI,
    paper={"variance": "per_sample"},
    texts=("nll", "fit", "out"),
    presets={"texts": {"variance": "across_samples"}, "texts_paper": {"variance": "per_sample"}},
)
def lira_online(
    signals: Signals, *, variance: Literal["pooled", "per_sample", "across_samples"] = "pooled"
) -> Floats:
    r"""Log-likelihood ratio "never seen" against "still fitted"; 0 = both as likely, above = unlearned.

    Parameters
    ----------
    variance : {"pooled", "per_sample", "across_samples"}
        "pooled" and "per_sample" as in `lira_offline`; "across_samples": that of the shadows' mean over all
        samples, for texts.

    Notes
    -----
    .. math::

        \mathrm{score} = \log \mathcal{N}(\lambda_u; \mu_S, \sigma^2) - \log \mathcal{N}(\lambda_u;
        \lambda_O, \sigma^2)

    lambda is the scaled logit, log p / (1 - p), O the original, S the shadows; sigma is one standard deviation
    for all records in `recommended`.

    **When to use.** Where a likelihood ratio in nats is wanted, for texts above all: an AUC of 0.930 on the
    published losses of 7,753 texts (lab book, results: published figures).

    **When it fails.** As published, with 1e-30 for the variance of the one model that saw the record, the
    score is the difference of two logits on a scale of 1e59, whatever the shadows say: the same from two
    shadows on (reproduction, Figure 5). On whole classes of Adult, where a shadow has the class, it falls to
    0.69, and its p-values from simulated deletions accuse 10 % and more at a promised 5 % (lab book, results;
    calibration).

    **Cost.** The original and one shadow model.

    References
    ----------
    Carlini et al.: Membership Inference Attacks From First Principles. IEEE S&P 2022, arXiv 2112.03570.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """
    u, mean, _ = outputs = outputs_of(signals)
    original = signals.scaled_logits("original")
    if variance == "across_samples":
        sd: Any = float(np.std(mean)) if np.ptp(mean) > 0 else 0.0
        if sd == 0:
            raise InputError(
                "lira_online: the shadow models say the same of every sample; there is no scale to measure with."
            )
    else:
        sd = deviation_of(signals, outputs, variance, "lira_online")
    sd_in = TINY if variance == "per_sample" else sd
    return _log_normal((u - mean) / sd, sd) - _log_normal((u - original) / sd_in, sd_in)


@register(
    "update_lira",
    needs=("unlearned", "original", "shadow_out"),
    uses=("calibration", "role"),
    unit="probability",
    range=(-1.0, 1.0),
    cites=CARLINI,
    paper={"variance": "per_sample"},
)
def update_lira(signals: Signals, *, variance: Literal["pooled", "per_sample"] = "pooled") -> Floats:
    r"""Drop of the sample's quantile among never-seen models, from the original to the unlearned; 0 = unchanged.

    With one shadow and the published variance, the score is -1, 0 or 1.

    Parameters
    ----------
    variance : {"pooled", "per_sample"}
        "pooled" and "per_sample" as in `lira_offline`.

    Notes
    -----
    .. math::

        \mathrm{score} = \Phi\left( \frac{\lambda_O - \mu_S}{\sigma_S} \right) - \Phi\left( \frac{\lambda_u
        - \mu_S}{\sigma_S} \right)

    lambda is the scaled logit, Phi the normal distribution function: how far the record's quantile among
    never-seen models has fallen.

    **When to use.** Where a change is to be shown on a scale that never-seen models set: from two shadows on
    it gains most of all measures (73 to 90 on Location-30; reproduction, Figure 5).

    **When it fails.** With one shadow and the published variance the score is -1, 0 or 1. Both terms saturate
    where a record lies far from the shadows, and then no change is seen: at 1 % of retained records missed it
    recognises 0.62 of Location-30, `iam` 0.84 (lab book, results: which measure).

    **Cost.** The original and one shadow model; two or more as published.

    References
    ----------
    Carlini et al.: Membership Inference Attacks From First Principles. IEEE S&P 2022, arXiv 2112.03570.

    Applied to unlearning as in Wang et al. 2025 (IAM), arXiv 2506.06112.
    """
    u, mean, _ = outputs = outputs_of(signals)
    original = signals.scaled_logits("original")
    sd = deviation_of(signals, outputs, variance, "update_lira")
    return np.asarray(special.ndtr((original - mean) / sd) - special.ndtr((u - mean) / sd))


def _log_normal(z: Floats, sd: Any) -> Floats:
    return np.asarray(-0.5 * np.square(z) - np.log(sd) - 0.5 * np.log(2 * np.pi))


def outputs_of(signals: Signals) -> tuple[Floats, Floats, Floats]:
    """Return lambda_u, and mean and standard deviation (ddof 0) of lambda over shadows; each [N]."""
    mean, spread = over_shadows(signals)
    return signals.scaled_logits("unlearned"), mean, spread


def deviation_of(
    signals: Signals, outputs: tuple[Floats, Floats, Floats], variance: str, measure: str
) -> Floats | float:
    """Return each sample's standard deviation [N] over shadows, with 1e-30 added, or one for all of them.

    The one is that of lambda between models on the same sample, over a calibration set. From two shadows on: root mean
    of the unbiased variance over shadows, widened for the error of their mean. With one shadow: that of the difference
    between the unlearned model and the shadow. `outputs` are those of `signals`.
    """
    if variance == "per_sample":
        return outputs[2] + TINY
    source, rows = calibration_rows(signals, measure)
    u, mean, spread = (values[rows] for values in (outputs if source is signals else outputs_of(source)))
    if source.shadows > 1:
        s = source.shadows
        sd = float(np.sqrt(np.mean(np.square(spread)) * s / (s - 1) * (1 + 1 / s)))
    else:
        sd = float(np.std(u - mean))
    if not sd > 0:
        raise InputError(
            f"{measure}: shadow models agree on every sample; there is no scale to measure with."
        )
    return sd
