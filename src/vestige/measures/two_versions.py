"""UnLeak: a classifier on how the posterior changed, trained on deletions whose truth is known.

The authors of IAM train it on shadow splits that they draw again, and that seem not to match those the shadows were
trained on; here it is trained on the simulated deletions in `calibration`, which are right by construction.
`paper` is that network. `recommended` adds what the feature throws away, the scaled logits of the true label under
both models, and fits a logistic regression, which has no early stopping to be lucky with.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vestige.errors import InputError
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.transforms import softmax

Floats = NDArray[np.float64]
TOP = 3


@register(
    "unleak",
    needs=("unlearned", "original", "calibration"),
    unit="probability",
    range=(0.0, 1.0),
    distribution=True,
    cites="Chen et al. 2021 (UnlearningLeaks)",
    paper={"attack": "mlp"},
)
def unleak(
    signals: Signals,
    *,
    attack: Literal["logistic", "mlp"] = "logistic",
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0,
) -> Floats:
    r"""Probability that the sample was deleted, by a classifier trained on simulated deletions.

    Parameters
    ----------
    attack : {"logistic", "mlp"}
        "logistic": logistic regression, with the scaled logits too; "mlp": the published network.
    seed : int
        Of the network.

    Notes
    -----
    .. math::

        \phi(x) = \pi\left( p_O(x) \right) - \pi\left( p_u(x) \right), \qquad \mathrm{score} =
        P(\mathrm{deleted} \,|\, \phi(x))

    pi keeps the three largest probabilities, levels all others and sorts by the original. The classifier is
    trained on simulated deletions between shadow models. In `recommended` it also sees the scaled logits of the
    true label.

    **When to use.** Where simulated deletions are at hand (three shadows or more): 0.973 on random requests
    of Location-30, level with `iam` (0.974; lab book, results: which measure).

    **When it fails.** On photographs and on parts of classes it is behind `iam` (0.675; 0.691), and as
    published its network has next to nothing to learn from where shadows are grouped: below chance with eight
    (37; reproduction, Figure 5).

    **Cost.** The original, three shadow models or more with their outputs on the pool, and one regression.

    References
    ----------
    Chen, Zhang, Wang, Backes, Humbert, Zhang: When Machine Unlearning Jeopardizes Privacy. CCS 2021, arXiv
    2005.02205.

    In the form in which Wang et al. 2025 (IAM) use it, arXiv 2506.06112.

    Examples
    --------
    >>> import numpy as np
    >>> import vestige
    >>> from vestige.measures import unleak
    >>> rng = np.random.default_rng(0)
    >>> def deleted(n):
    ... # n records of 5 classes, half of them deleted: the unlearned model is less sure of these
    ...     labels, role = rng.integers(0, 5, n), np.repeat(["forget", "retain"], n // 2)
    ...     fit = np.eye(5)[labels]
    ...     original, unlearned = rng.normal(size=(2, n, 5)) + 4 * fit
    ...     unlearned[: n // 2] -= 2 * fit[: n // 2]
    ...     return vestige.Signals(labels, unlearned, original, role=role)
    >>> unleak(deleted(40).with_(calibration=deleted(100))).shape
    (40,)
    """
    known = signals.calibration
    assert known is not None
    truth = known.roles == "forget"
    if min(truth.sum(), (~truth).sum()) < 10:
        raise InputError(
            "unleak is trained on at least 10 simulated deletions and 10 simulated kept samples."
        )
    if attack == "mlp":
        model: Any = MLPClassifier(
            early_stopping=True, learning_rate_init=0.01, max_iter=1000, random_state=seed
        )
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    model.fit(_features(known, attack), truth)
    parts = [
        model.predict_proba(_features(signals.take(np.arange(p.start, p.stop)), attack))
        for p in signals.chunks()
    ]
    return np.concatenate(parts)[:, 1]


def _features(signals: Signals, attack: str) -> Floats:
    assert signals.original is not None
    before, after = (posterior(x) for x in (signals.original, signals.unlearned))
    order = np.argsort(before, axis=1, kind="stable")
    difference = np.take_along_axis(before - after, order, axis=1)
    if attack == "mlp":
        return difference
    logits = [signals.scaled_logits(name) for name in ("original", "unlearned")]
    own = np.stack([logits[0], logits[1], logits[0] - logits[1]], axis=1)
    return np.concatenate([difference, np.clip(own, -50, 50)], axis=1)


def posterior(logits: NDArray[Any]) -> Floats:
    """Softmax [N, C] with all but the top 3 classes levelled; ties go to the first class."""
    p = softmax(logits)
    classes = p.shape[1]
    if classes <= TOP:
        return np.asarray(p)
    top = np.argsort(-p, axis=1, kind="stable")[:, :TOP]
    kept = np.take_along_axis(p, top, axis=1)
    levelled = np.repeat((1 - kept.sum(axis=1, keepdims=True)).clip(0) / (classes - TOP), classes, axis=1)
    np.put_along_axis(levelled, top, kept, axis=1)
    return levelled
