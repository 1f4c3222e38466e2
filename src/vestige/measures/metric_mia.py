"""The metric attacks: does one number of the unlearned model's output look like a member's or a non-member's?

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
    r"""Non-membership by whether the prediction is right.

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.

    Notes
    -----
    .. math::

        \mathrm{feature} = 1\left[ \arg\max_k p_k = y \right], \qquad \mathrm{score} = \log
        \frac{P(\mathrm{non\,member} \,|\, \mathrm{feature})}{P(\mathrm{member} \,|\, \mathrm{feature})}

    Members are the retained records, non-members the holdout records.

    **When to use.** As a control: what accuracy alone says. Its two values are the two of the prediction,
    right or wrong.

    **When it fails.** With two values nothing can be told at a strict error rate: none is recognised at 1 %
    of retained records missed on random requests of Adult and CIFAR-10, and part of a class of CIFAR-10
    stands at 0.246 (lab book, results: which measure).

    **Cost.** No further model; one logistic regression in five folds.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """
    return _scores(signals, attack, lambda v, y: (v.argmax(axis=1) == y).astype(np.float64)[:, None])


@register("mia_confidence", **SETTINGS)
def mia_confidence(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    r"""Non-membership by the true-label confidence (its log-odds in the recommended form).

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.

    Notes
    -----
    .. math::

        \mathrm{feature} = \lambda_u, \qquad \mathrm{score} = \log \frac{P(\mathrm{non\,member} \,|\,
        \lambda_u)}{P(\mathrm{member} \,|\, \lambda_u)}

    lambda is the scaled logit of the true label, in `paper` the confidence. Members are the retained records,
    non-members the holdout records. `paper` is the attack behind "MIA-efficacy" in the literature on
    unlearning.

    **When to use.** To report the figure that other papers report, beside a measure that knows the record's
    difficulty.

    **When it fails.** It is a monotone function of the unlearned model's confidence and ranks records as
    `confidence` does: 0.530 on Adult, 0.318 on part of a class of CIFAR-10 (lab book, results: which
    measure). As published it scores records that it was fitted on.

    **Cost.** No further model; one logistic regression in five folds, as published a support vector
    classifier.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """
    feature = _confidence if attack == "svc" else scaled_logit
    return _scores(signals, attack, lambda v, y: feature(v, y)[:, None])


@register("mia_entropy", **SETTINGS, distribution=True)
def mia_entropy(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    r"""Non-membership by the entropy of the prediction; does not look at the label.

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.

    Notes
    -----
    .. math::

        \mathrm{feature} = -\sum_k p_k \log p_k, \qquad \mathrm{score} = \log \frac{P(\mathrm{non\,member}
        \,|\, \mathrm{feature})}{P(\mathrm{member} \,|\, \mathrm{feature})}

    Members are the retained records, non-members the holdout records.

    **When to use.** Where labels are not to be trusted: it does not look at them.

    **When it fails.** A model that is sure of a wrong label has no entropy either: 0.472 on random requests
    of Adult, 0.543 on a whole class of CIFAR-10, which every measure that sees the label recognises (lab
    book, results: which measure).

    **Cost.** No further model; one logistic regression in five folds.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """
    return _scores(signals, attack, lambda v, y: entropy(v)[:, None])


@register(
    "mia_modified_entropy", **SETTINGS | {"paper": {"attack": "svc", "form": "published"}}, distribution=True
)
def mia_modified_entropy(
    signals: Signals, *, attack: Attack = "logistic", form: Literal["right", "published"] = "right"
) -> Floats:
    r"""Non-membership by the modified entropy, which grows where the confidence goes to a wrong label.

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.
    form : {"right", "published"}
        "right", or "published": what the code of Unlearn-Sparse computes where a batch holds every class, -
        sum over k of (1 - p_k) log p_k, which does not depend on the label.

    Notes
    -----
    .. math::

        \mathrm{feature} = -(1 - p_y) \log p_y - \sum_{k \ne y} p_k \log(1 - p_k)

    The score is the log-odds of non-member by this feature. Members are the retained records, non-members the
    holdout records. In `paper` the feature is what the code of Unlearn-Sparse computes, which does not depend
    on the label.

    **When to use.** Where the metric attacks of the literature are reported: the best of the five on part of
    a class of Location-30 (0.724; lab book, results: which measure).

    **When it fails.** As every measure of the unlearned model alone: 0.291 on part of a class of CIFAR-10,
    0.592 on random requests of Adult (lab book, results: which measure).

    **Cost.** No further model; one logistic regression in five folds.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """
    if form == "published":
        return _scores(signals, attack, lambda v, y: published_modified_entropy(v)[:, None])
    return _scores(signals, attack, lambda v, y: modified_entropy(v, y)[:, None])


@register("mia_probability", **SETTINGS, distribution=True)
def mia_probability(signals: Signals, *, attack: Attack = "logistic") -> Floats:
    r"""Non-membership by the whole probability vector (its logarithms in the recommended form).

    Parameters
    ----------
    attack : {"logistic", "svc"}
        "logistic": logistic regression, cross-fitted; "svc": the support vector classifier, as published.

    Notes
    -----
    .. math::

        \mathrm{feature} = (\log p_1, \ldots, \log p_C), \qquad \mathrm{score} = \log
        \frac{P(\mathrm{non\,member} \,|\, \mathrm{feature})}{P(\mathrm{member} \,|\, \mathrm{feature})}

    In `paper` the feature is p itself. Members are the retained records, non-members the holdout records.

    **When to use.** As the attack of the literature that sees everything that the output shows but the label.

    **When it fails.** A linear attack on C numbers learns less from them than from the right one: 0.777 on
    random requests of Location-30, where `mia_confidence` has 0.906 (lab book, results: which measure). It
    needs the probability of every class.

    **Cost.** No further model; one logistic regression on C features in five folds, the slowest of the five.

    References
    ----------
    Song, Mittal: Systematic Evaluation of Privacy Risks of Machine Learning Models. USENIX Security 2021, arXiv
    2003.10595.

    In the form in which Jia et al. 2023 (arXiv 2304.04934) and Sharma et al. 2024 (arXiv 2402.06864) judge
    unlearning.
    """
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
