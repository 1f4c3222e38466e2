"""L-Diff and D-ratio: the predecessors of IAM, which need no shadow model or one number from it.

Wang et al.: Has Approximate Machine Unlearning been evaluated properly?, arXiv 2403.12830 v1, in the form that the
code of Wang et al. 2025 (IAM) keeps.

    L-Diff   (A + B) / 2, with the scaled logit lambda and a population of never-seen samples
             A = (1 + Phi((lambda_o - m)/s) - Phi((lambda_u - m)/s)) / 2,  m, s of lambda_u over the population
             B = 1 - Laplace CDF(lambda_u - lambda_o), fitted to the population's differences
    D-ratio  (c + max(r_o - r_u, 1e-10)) / (c + max(r_o - mean r_s, 1e-10)), clipped to [0, 1], r = logloss

Both presets are the same. The deviation s is that of a sample (ddof 1); the Laplace distribution is fitted by maximum
likelihood: median, mean deviation from it. Differs from the authors: they put a floor of 1e-45 under both logarithms of
lambda, which holds it within 103 nats; here it is exact at any logit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from vestige.arguments import Positive
from vestige.errors import InputError, MissingArray
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.fields import HOW_TO_GET
from vestige.signals.transforms import logloss_of

Floats = NDArray[np.float64]
CITES = "Wang et al. 2024 (arXiv 2403.12830)"


@register(
    "ldiff", needs=("unlearned", "original"), uses=("population", "role"), unit="probability", range=(0.0, 1.0),
    cites=CITES,
)  # fmt: skip
def ldiff(signals: Signals) -> Floats:
    """How unusual the change of the scaled logit is among never-seen samples; 0.5 = as among them.

    The population is `population` with its `original`, or else the holdout samples.
    """
    population = signals.population
    if population is None or population.original is None:
        if not (signals.roles == "holdout").any():
            raise MissingArray(f"ldiff needs `population` with its `original`: {HOW_TO_GET['population']}.")
        population = signals.of_role("holdout")
    known_u, known_o = (population.scaled_logits(x) for x in ("unlearned", "original"))
    if len(population) < 2:
        raise InputError("ldiff takes the deviation of a population; at least two samples of it are wanted.")
    mean, spread = float(known_u.mean()), float(known_u.std(ddof=1))
    change = known_u - known_o
    centre = float(np.median(change))
    width = float(np.abs(change - centre).mean())
    if spread == 0 or width == 0:
        raise InputError("ldiff: the population's scaled logits, or their changes, are all the same.")
    u, o = (signals.scaled_logits(x) for x in ("unlearned", "original"))
    a = (1 + special.ndtr((o - mean) / spread) - special.ndtr((u - mean) / spread)) / 2
    b = stats.laplace.sf(u - o, centre, width)
    return np.asarray((a + b) / 2)


@register(
    "dratio",
    needs=("unlearned", "original", "shadow_out"),
    unit="share of the way",
    range=(0.0, 1.0),
    cites=CITES,
)
def dratio(signals: Signals, *, c: Positive = 1e-3) -> Floats:
    """Share of the way from the original's signal to the shadows' that was gone; 1 = all of it or more."""
    u, o = (logloss_of(signals.scaled_logits(x)) for x in ("unlearned", "original"))
    out = np.empty(len(signals))
    for part in signals.chunks():
        out[part] = logloss_of(signals.scaled_logits("shadow_out", part)).mean(axis=0)
    return np.clip((c + np.maximum(o - u, 1e-10)) / (c + np.maximum(o - out, 1e-10)), 0, 1)
