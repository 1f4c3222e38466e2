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
fitted on as to the others; the score is its decision, 1 = non-member. `recommended`: logistic regression on the
standardised feature, both groups weighted alike, cross-fitted in five folds by sample id, so that no sample is
scored by an attack that has seen it; the score is the log-odds of "non-member". With a feature of two values,
correctness says what the accuracy says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from vestige.errors import InputError, MissingArray, unknown
from vestige.measures.registry import register
from vestige.signals import Signals
from vestige.signals.record import HOW_TO_GET
from vestige.signals.transforms import scaled_logit

Floats = NDArray[np.float64]
Attack = Literal["logistic", "svc"]
ATTACKS = ("logistic", "svc")
CITES = "Song and Mittal 2021; Jia et al. 2023 (Unlearn-Sparse)"
FOLDS = 5
SETTINGS: dict[str, Any] = {
    "needs": ("unlearned",),
    "uses": ("role",),
    "unit": "log-odds of non-member",
    "cites": CITES,
    "paper": {"attack": "svc"},
}


@register("mia_correctness", **SETTINGS)
def mia_correctness(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by whether the prediction is right."""
    return _scores(signals, attack, lambda v, y: (v.argmax(axis=1) == y).astype(np.float64)[:, None])


@register("mia_confidence", **SETTINGS)
def mia_confidence(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the true-label confidence (its log-odds in the recommended form)."""
    feature = _confidence if attack == "svc" else scaled_logit
    return _scores(signals, attack, lambda v, y: feature(v, y)[:, None])


@register("mia_entropy", **SETTINGS)
def mia_entropy(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the entropy of the prediction; does not look at the label."""
    return _scores(signals, attack, lambda v, y: -(np.exp(_logs(v)) * _logs(v)).sum(axis=1)[:, None])


@register("mia_modified_entropy", **SETTINGS)
def mia_modified_entropy(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the modified entropy, which grows where the confidence goes to a wrong label."""
    return _scores(signals, attack, lambda v, y: modified_entropy(v, y)[:, None])


@register("mia_probability", **SETTINGS)
def mia_probability(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    """Non-membership by the whole probability vector (its logarithms in the recommended form)."""
    if attack == "svc":
        return _scores(signals, attack, lambda v, y: np.exp(_logs(v)))
    return _scores(signals, attack, lambda v, y: np.maximum(_logs(v), -30.0))


def modified_entropy(logits: NDArray[Any], labels: NDArray[np.int64]) -> Floats:
    """- (1 - p_y) log p_y - sum over k != y of p_k log(1 - p_k), in nats, from 0; [N]."""
    logs = _logs(logits)
    p, rows = np.exp(logs), np.arange(len(labels))
    others = -p * np.log(np.maximum(1 - p, 1e-300))
    own = -(1 - p[rows, labels]) * logs[rows, labels]
    return np.asarray(own + others.sum(axis=1) - others[rows, labels])


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
    if attack not in ATTACKS:
        raise InputError(f"mia: {unknown('attack', attack, ATTACKS)}")
    members, others = (np.flatnonzero(signals.roles == role) for role in ("retain", "holdout"))
    if len(members) < FOLDS or len(others) < FOLDS:
        raise MissingArray(
            f"The metric attacks need {FOLDS} retained and {FOLDS} holdout samples: {HOW_TO_GET['role']}."
        )
    x = np.concatenate([feature(signals.unlearned[p], signals.labels[p]) for p in signals.chunks()])
    if attack == "svc":
        rows = np.concatenate([members[: len(others)], others])
        truth = np.isin(rows, others)
        return np.asarray(SVC(C=3, gamma="auto", kernel="rbf").fit(x[rows], truth).predict(x), np.float64)
    return _cross_fitted(signals, x, np.concatenate([members, others]))


def _cross_fitted(signals: Signals, x: Floats, rows: NDArray[np.int64]) -> Floats:
    """Score every sample by attacks that have not seen it: its fold's, or the mean of all for forget samples."""
    rows = rows[np.argsort(signals.names[rows])]  # by id, so that the order of the samples does not matter
    digests = (hashlib.blake2b(str(name).encode(), digest_size=4).digest() for name in signals.names[rows])
    fold = np.array([int.from_bytes(d, "big") % FOLDS for d in digests])
    truth = signals.roles[rows] == "holdout"
    total, count = np.zeros(len(signals)), np.zeros(len(signals))
    for k in range(FOLDS):
        seen = fold != k
        if truth[seen].all() or not truth[seen].any():
            raise InputError(
                "The metric attacks need members and non-members in every fold; there are too few."
            )
        attack = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        unseen = np.ones(len(signals), bool)
        unseen[rows[seen]] = False
        total[unseen] += attack.fit(x[rows[seen]], truth[seen]).decision_function(x[unseen])
        count += unseen
    return total / count
