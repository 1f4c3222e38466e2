"""InfoRMIA: how many nats the unlearned model tells of a sample beyond its references, against never-seen samples.

Tao and Shokri: (Token-Level) InfoRMIA: Stronger Membership Inference and Memorization Assessment for LLMs. ICLR 2026,
arXiv 2510.05582. Only the abstract and summaries of it were at hand; its form by tokens is `informia_tokens`. With
RMIA's reference p(x), over OUT models of which 20 % are trimmed either side:

    r(x)  = log t_u(x) - log p(x),   p(x) = (1 + a)/2 * mean_x + (1 - a)/2
    score = mean_z r(z) - r(x),      z of the population; minus mean_z r(z) estimates KL(p || t_u)

Where RMIA counts the z that x exceeds by a factor, this takes the logarithms: no threshold, no steps, and the
population sets where 0 lies alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vestige.measures.registry import register
from vestige.measures.rmia import OTHER_TEMPERATURES, Parameters, constants_of, population_of, trimmed
from vestige.signals import Signals
from vestige.signals.transforms import confidence_of, loss_of

Floats = NDArray[np.float64]


@register(
    "informia",
    needs=("unlearned", "shadow_out"),
    uses=("population", "role"),
    distribution={"parameters": OTHER_TEMPERATURES},
    unit="nats",
    cites="Tao and Shokri 2026 (InfoRMIA)",
)
def informia(signals: Signals, *, parameters: Parameters = "cifar10") -> Floats:
    """Log-ratio of reference to unlearned confidence, above that of never-seen samples; 0 = as these on average.

    parameters  a named set of constants, of which it takes temperature and a; see `rmia_offline`

    The population is `population` with its `shadow_out`, or else the holdout samples.
    """
    temperature, a, _ = constants_of(parameters, None)

    def ratio(rows: Signals) -> Floats:
        own = -loss_of(rows.scaled_logits("unlearned", temperature=temperature))
        others = trimmed(confidence_of(rows.scaled_logits("shadow_out", temperature=temperature)))
        return np.asarray(own - np.log((1 + a) / 2 * others + (1 - a) / 2))

    return np.asarray(ratio(population_of(signals, "informia")).mean() - ratio(signals))
