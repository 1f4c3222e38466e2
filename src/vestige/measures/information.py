"""InfoRMIA: how many nats the unlearned model tells of a sample beyond its references, against never-seen samples.

Only the abstract and summaries of the paper were at hand; its form by tokens is `informia_tokens`. The reference is
that of RMIA, over OUT models of which 20 % are trimmed either side. Where RMIA counts the z that x exceeds by a factor,
this takes the logarithms: no threshold, no steps, and the population sets where 0 lies alone. Minus the mean of r(z)
estimates KL(reference || unlearned).
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
    r"""Log-ratio of reference to unlearned confidence, above that of never-seen samples; 0 = as these on average.

    The population is `population` with its `shadow_out`, or else the holdout samples.

    Parameters
    ----------
    parameters : Parameters
        A named set of constants, of which it takes temperature and a; see `rmia_offline`.

    Notes
    -----
    .. math::

        r(x) = \log \frac{t_u(x)}{\frac{1 + a}{2} \, \bar t_S(x) + \frac{1 - a}{2}}, \qquad
        \mathrm{score}(x) = \frac{1}{|Z|} \sum_{z \in Z} r(z) - r(x)

    t is a model's confidence in the true label, the bar its mean over shadow models, trimmed; Z is the
    population of never-seen records. It sets where 0 lies alone.

    **When to use.** As `rmia_offline`, where a score without steps is wanted: no threshold, no ties.

    **When it fails.** As `rmia_offline`, it does not know what the original made of the record. Only the
    abstract and summaries of the paper were at hand; its form by tokens is `informia_tokens`. On random
    requests it is behind `iam` (0.92 and 0.98 on Location-30, 0.61 and 0.67 on Adult; lab book, results).

    **Cost.** One shadow model and a population with the shadows' outputs.

    References
    ----------
    Tao, Shokri: (Token-Level) InfoRMIA: Stronger Membership Inference and Memorization Assessment for LLMs.
    ICLR 2026, arXiv 2510.05582.
    """
    temperature, a, _ = constants_of(parameters, None)

    def ratio(rows: Signals) -> Floats:
        own = -loss_of(rows.scaled_logits("unlearned", temperature=temperature))
        others = trimmed(confidence_of(rows.scaled_logits("shadow_out", temperature=temperature)))
        return np.asarray(own - np.log((1 + a) / 2 * others + (1 - a) / 2))

    return np.asarray(ratio(population_of(signals, "informia")).mean() - ratio(signals))
