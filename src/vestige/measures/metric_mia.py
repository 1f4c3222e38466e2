"""The metric attacks: does one number of the unlearned model's output look like a member's or a non-member's?

Song and Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, in the form
in which Jia et al. 2023 (Unlearn-Sparse) and Sharma et al. 2024 (DAU) judge unlearning.

    correctness       1[argmax = y]
    confidence        p_y
    entropy           - sum p_k log p_k
    modified entropy  - (1 - p_y) log p_y - sum over k != y of p_k log(1 - p_k)
    probability       the whole vector p

Members are the retained samples, non-members the holdout samples. `paper`: a support vector classifier, fitted on
the first |holdout| retained samples in their order and all holdout samples, and applied to the samples that it was
fitted on as to the others; the score is its decision, 1 = non-member; see `measures.svc` for what changes beyond 10,000
samples. `recommended`: logistic regression on the
standardised feature, both groups weighted alike, cross-fitted in five folds by sample id, so that no sample is
scored by an attack that has seen it; the score is the log-odds of "non-member". With a feature of two values,
correctness says what the accuracy says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vestige.measures.crossfit import cross_fitted, members_and_others
from vestige.measures.registry import register
from vestige.measures.svc import decided
from vestige.signals import Signals
from vestige.signals.transforms import scaled_logit

Floats = NDArray[np.float64]
Attack = Literal["logistic", "svc"]
CITES = "Song and Mittal 2021; Jia et al. 2023 (Unlearn-Sparse)"
FOLDS = 5
SETTINGS: dict[str, Any] = {
    "needs": ("unlearned",),
    "uses": ("role",),
    "unit": "log-odds of non-member",
    "cites": CITES,
    "paper": {"attack": "svc"},
}


@register("mia_correctness", **SETTINGS, distribution=True)
def mia_correctness(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by whether the prediction is right."""
    return _scores(signals, attack, lambda v, y: (v.argmax(axis=1) == y).astype(np.float64)[:, None])


@register("mia_confidence", **SETTINGS)
def mia_confidence(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the true-label confidence (its log-odds in the recommended form)."""
    feature = _confidence if attack == "svc" else scaled_logit
    return _scores(signals, attack, lambda v, y: feature(v, y)[:, None])


@register("mia_entropy", **SETTINGS, distribution=True)
def mia_entropy(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the entropy of the prediction; does not look at the label."""
    return _scores(signals, attack, lambda v, y: entropy(v)[:, None])


@register(
    "mia_modified_entropy", **SETTINGS | {"paper": {"attack": "svc", "form": "published"}}, distribution=True
)
def mia_modified_entropy(
    signals: Signals, *, attack: Attack = "logistic", form: Literal["right", "published"] = "right"
) -> Floats:
    """Non-membership by the modified entropy, which grows where the confidence goes to a wrong label.

    form  "right", or "published": what the code of Unlearn-Sparse computes where a batch holds every class,
          - sum over k of (1 - p_k) log p_k, which does not depend on the label
    """
    if form == "published":
        return _scores(signals, attack, lambda v, y: published_modified_entropy(v)[:, None])
    return _scores(signals, attack, lambda v, y: modified_entropy(v, y)[:, None])


@register("mia_probability", **SETTINGS, distribution=True)
def mia_probability(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the whole probability vector (its logarithms in the recommended form)."""
    if attack == "svc":
        return _scores(signals, attack, lambda v, y: np.exp(_logs(v)))
    return _scores(signals, attack, lambda v, y: np.maximum(_logs(v), -30.0))


def entropy(logits: NDArray[Any]) -> Floats:
    """- sum over k of p_k log p_k, in nats, from 0; [N]."""
    logs = _logs(logits)
    return np.asarray(-(np.exp(logs) * logs).sum(axis=1))


def modified_entropy(logits: NDArray[Any], labels: NDArray[np.int64]) -> Floats:
    """- (1 - p_y) log p_y - sum over k != y of p_k log(1 - p_k), in nats, from 0; [N]."""
    logs = _logs(logits)
    p, rows = np.exp(logs), np.arange(len(labels))
    others = -p * np.log(np.maximum(1 - p, 1e-300))
    own = -(1 - p[rows, labels]) * logs[rows, labels]
    return np.asarray(own + others.sum(axis=1) - others[rows, labels])


def published_modified_entropy(logits: NDArray[Any]) -> Floats:
    """- sum over k of (1 - p_k) log p_k, in nats: the logarithm of the wrong argument, summed over all classes."""
    logs = _logs(logits)
    return np.asarray(-((1 - np.exp(logs)) * logs).sum(axis=1))


def _logs(logits: NDArray[Any]) -> Floats:
    """Log-softmax, floored so that a product with p stays finite."""
    v = logits.astype(np.float64)
    v -= v.max(axis=1, keepdims=True)
    return np.asarray(np.maximum(v - np.log(np.exp(v).sum(axis=1, keepdims=True)), -700.0))


def _confidence(logits: NDArray[Any], labels: NDArray[np.int64]) -> Floats:
    return np.asarray(np.exp(_logs(logits))[np.arange(len(labels)), labels])


def _scores(
    signals: Signals, attack: str, feature: Callable[[NDArray[Any], NDArray[np.int64]], Floats]
) -> Floats:
    members, others = members_and_others(signals, "A metric attack")
    x = np.concatenate([feature(signals.unlearned[p], signals.labels[p]) for p in signals.chunks()])
    if attack == "svc":
        rows = np.concatenate([members[: len(others)], others])
        truth = np.isin(rows, others)
        return decided(x[rows], truth, x, signals.names[rows]).astype(np.float64)

    def fit(rows: NDArray[np.int64], truth: NDArray[np.bool_]) -> Callable[[NDArray[np.int64]], Floats]:
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        model.fit(x[rows], truth)
        return lambda wanted: np.asarray(model.decision_function(x[wanted]))

    return cross_fitted(signals, members, others, fit, folds=FOLDS, name="A metric attack")
