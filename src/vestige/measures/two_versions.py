"""UnLeak: a classifier on how the posterior changed, trained on deletions whose truth is known.

Chen et al.: When Machine Unlearning Jeopardizes Privacy. CCS 2021, in the form in which Wang et al. 2025 (IAM) use it.

    posterior  top 3 probabilities kept, the others replaced by (1 - their sum) / (C - 3)
    feature    both posteriors in the ascending order of the original's, original minus unlearned
    attack     one hidden layer of 100, trained with early stopping; score = P(deleted)

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
    """Probability that the sample was deleted, by a classifier trained on simulated deletions."""
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
