"""One-line controls: the signal of the unlearned model alone, and its difference to the original's.

The SimpleDiff family of Wang et al. 2025 (IAM), arXiv 2506.06112. A measure that does not beat these on the
data at hand is not worth its shadow models. The two presets are the same. Scaled logits have no floor of 1e-45
under their logarithms, as the authors' have; see `vestige.signals.transforms.scaled_logit`.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from vestige.arguments import Seed
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.of_models import signal_of

Floats = NDArray[np.float64]
IAM = "Wang et al. 2025 (IAM)"


@register("random", unit="probability", range=(0.0, 1.0), cites="control")
def random(signals: Signals, *, seed: Seed = 0) -> Floats:
    r"""Uniform noise, fixed by each sample's id: what a measure that knows nothing scores; its AUC is 0.5.

    Parameters
    ----------
    seed : int
        Of the noise.

    Notes
    -----
    .. math::

        \mathrm{score}(x) = h(\mathrm{seed}, \mathrm{id}(x)) \in [0, 1)

    **When to use.** As a negative control beside every other measure: what a measure that knows nothing
    scores.

    **When it fails.** An AUC of it that excludes 0.5 says that something is wrong with the comparison, or
    that one interval in twenty was seen: from 0.486 to 0.548 in the nine comparisons of the lab book
    (results: which measure).

    **Cost.** No model, no time.

    References
    ----------
    A control.
    """
    digests = (hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest() for name in signals.names)
    return np.frombuffer(b"".join(digests), ">u8") / 2.0**64


@register("confidence", needs=("unlearned",), unit="probability", range=(-1.0, 0.0), cites=IAM)
def confidence(signals: Signals) -> Floats:
    r"""-p_u: minus the true-label confidence of the unlearned model; needs no other model.

    Notes
    -----
    .. math::

        \mathrm{score} = -p_u(y \,|\, x)

    **When to use.** Where there is nothing but the unlearned model. It recognises a whole class without error
    (1.000 on all three data sets; lab book, results: which measure).

    **When it fails.** It knows nothing of a record's own difficulty: 0.318 on part of a class of CIFAR-10,
    0.530 on random requests of Adult (lab book, results).

    **Cost.** No further model.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """
    return -signal_of(signals, "unlearned", "probability")


@register(
    "confidence_difference", needs=("unlearned", "original"), unit="probability", range=(-1.0, 1.0), cites=IAM
)
def confidence_difference(signals: Signals) -> Floats:
    r"""p_o - p_u: how much true-label confidence was lost; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = p_O(y \,|\, x) - p_u(y \,|\, x)

    **When to use.** As the control that every measure with shadows has to beat, and as the measure where
    there is no shadow: level with `iam` on Adult (0.659; 0.656), and ahead of it at 1 % of retained records
    missed (0.176; 0.154; lab book, results: which measure).

    **When it fails.** A record that the original never fitted has nothing to lose: it looks kept. On part of
    a class it is behind measures with shadows (0.655; `iam` 0.952 on Location-30). Its p-values accuse up to
    7 % on Adult at a promised 5 % (lab book, results; calibration).

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """
    return _drop(signals, "probability")


@register("loss_difference", needs=("unlearned", "original"), unit="nats", cites=IAM)
def loss_difference(signals: Signals) -> Floats:
    r"""CE_u - CE_o: how much the cross-entropy rose; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = \mathrm{CE}_u(x, y) - \mathrm{CE}_O(x, y)

    **When to use.** As `confidence_difference`, where losses are what is given. At 1 % of retained records
    missed it recognises twice as many photographs as `iam` (0.102; 0.048; lab book, results: which measure).

    **When it fails.** As `confidence_difference`. Losses have no upper end: a few records that were very
    wrong to begin with carry a mean.

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """
    return _drop(signals, "negative_loss")


@register("scaled_logit_difference", needs=("unlearned", "original"), unit="nats", cites=IAM)
def scaled_logit_difference(signals: Signals) -> Floats:
    r"""logit p_o - logit p_u: how much the log-odds of the true label fell; 0 = unchanged.

    Notes
    -----
    .. math::

        \mathrm{score} = \lambda_O - \lambda_u, \qquad \lambda = \log \frac{p}{1 - p}

    **When to use.** Where the original is very sure of everything, so that a difference of confidences rounds
    to 0: near `iam` on random requests of Location-30, without any shadow (0.966; 0.974; lab book, results:
    which measure).

    **When it fails.** The further out, the larger the difference of logits that means nothing: 0.604 on
    random requests of Adult, where the difference of confidences has 0.659, and 0.026 recognised at 1 % of
    retained records missed, where that has 0.176 (lab book, results).

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """
    return _drop(signals, "scaled_logit")


@register("logloss_difference", needs=("unlearned", "original"), unit="signal", range=(-1.0, 1.0), cites=IAM)
def logloss_difference(signals: Signals, *, eps1: float = 1e-2, eps2: float = 1e-5) -> Floats:
    r"""Difference of the bounded Gumbel signal that IAM works on; 0 = unchanged.

    Parameters
    ----------
    eps1, eps2 : float
        Bounds of the Gumbel map, as in `iam`.

    Notes
    -----
    .. math::

        \mathrm{score} = r(p_O) - r(p_u), \qquad r(p) = \frac{-\log(\epsilon_1 - \log(p + \epsilon_2)) -
        r_0}{r_1 - r_0}

    r is the bounded Gumbel signal that IAM works on, between 0 and 1; r_0 and r_1 are its values at p = 0 and p
    = 1 before scaling.

    **When to use.** To see what IAM's interpolation adds to its own signal: nothing on random requests of
    Adult (0.656 both), 0.02 on Location-30 (0.957; 0.974; lab book, results: which measure).

    **When it fails.** As `confidence_difference`.

    **Cost.** The original.

    References
    ----------
    Wang, Li, Xiang, Cao, Wang: Towards Lifecycle Unlearning Commitment Management: Measuring Sample-level
    Unlearning Completeness. USENIX Security 2025, arXiv 2506.06112.
    """
    return _drop(signals, "logloss", eps1=eps1, eps2=eps2)


def _drop(signals: Signals, signal: str, **bounds: float) -> Floats:
    before, after = (signal_of(signals, name, signal, **bounds) for name in ("original", "unlearned"))
    return before - after
