"""Figures of the unlearned model itself: UA, RA, TA, MIA-efficacy, and their disparity to the retrained model.

Jia et al., Model Sparsity Can Simplify Machine Unlearning (NeurIPS 2023), and Sharma et al., Discriminative
Adversarial Unlearning (2024). None of them is better when larger: each is read against exact retraining.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from vestige.arguments import checked
from vestige.errors import InputError, unknown
from vestige.measures.svc import EXACT, decided
from vestige.signals import Signals
from vestige.signals.transforms import confidence_of, softmax
from vestige.values import as_floats

PARTS = ("unlearning_accuracy", "retain_accuracy", "test_accuracy", "mia_efficacy")


@checked
def accuracy_figures(signals: Signals, preset: str = "recommended") -> dict[str, float]:
    """Return unlearning, retain and test accuracy (UA, RA, TA) and MIA-efficacy in percent, from `unlearned`.

    Where the forget set is a whole class (no retained sample has it), holdout samples of that class are left
    out, as published.

    Parameters
    ----------
    signals : Signals
        Logits of `unlearned`, labels and roles are read.
    preset : {"recommended", "paper"}
        Of `mia_efficacy`.

    Returns
    -------
    dict of str to float
        Each from 0 to 100. `unlearning_accuracy`: 100 - accuracy on the forget samples, larger = more unlearned;
        `retain_accuracy` and `test_accuracy`: on the retained and the holdout samples, larger = better;
        `mia_efficacy`: share of forget samples that a confidence attack calls non-members, larger = more unlearned.
        A figure that needs a role without samples is missing, and so are the accuracies where the probability of
        the true label alone is known.
    """
    correct = signals.correct
    forget, retain, holdout = _role_rows(signals)
    result = {}
    if correct is not None:
        result["unlearning_accuracy"] = 100 * (1 - float(correct[forget].mean()))
        if len(retain):
            result["retain_accuracy"] = 100 * float(correct[retain].mean())
        if len(holdout):
            result["test_accuracy"] = 100 * float(correct[holdout].mean())
    if len(retain) and len(holdout):
        result["mia_efficacy"] = mia_efficacy(signals, preset)
    return result


FEATURES = ("confidence", "correctness", "entropy", "modified_entropy")
"""What an attack may look at; the first is the one whose figure is called MIA-efficacy."""


@checked
def mia_efficacy(signals: Signals, preset: str = "recommended", feature: str = "confidence") -> float:
    """Share of forget samples, in percent, that an attack on one feature calls non-members.

    Parameters
    ----------
    signals : Signals
        Logits of `unlearned`, labels and roles are read.
    preset : {"recommended", "paper"}
        "recommended": logistic regression on the feature, confidence as scaled logit; both groups weighted alike,
        all retained samples used: no order, no dependence on a scale, monotone. "paper": SVC(C=3, gamma="auto",
        rbf) on the feature; members are the first |holdout| retained samples in their order, non-members all
        holdout samples. Over-forgetting scores higher; only the gap to a retrained model means anything. Of more
        than 10,000 samples the feature is rounded first, see `vestige.measures.svc`.
    feature : {"confidence", "correctness", "entropy", "modified_entropy"}
        Probability of the true label, whether it is the largest, entropy of the prediction, and the entropy
        modified to know the label (Song & Mittal 2021). For the last one "paper" takes what the published code
        computes, into which a sample's own label does not enter: the sum of -(1 - p) log p over the classes that
        its group has, of -p log p over the others; groups are the members, the non-members and the forget samples.
        Correctness by SVC is the unlearning accuracy.

    Returns
    -------
    float
        From 0 to 100, larger = more unlearned.

    Raises
    ------
    InputError
        Where there is no retained or no holdout sample, for an unknown feature or preset, and for a feature of
        every class where the probability of the true label alone is known.
    """
    if preset not in ("recommended", "paper"):
        raise InputError(unknown("preset", preset, ("recommended", "paper")))
    if feature not in FEATURES:
        raise InputError(unknown("feature", feature, FEATURES))
    if feature != "confidence" and signals.kind != "logits":
        raise InputError(
            f"MIA by {feature} reads the probability of every class, which is not known of these samples."
        )
    forget, retain, holdout = _role_rows(signals)
    if not len(retain) or not len(holdout):
        raise InputError("MIA-efficacy needs retained samples as members and holdout samples as non-members.")
    members = retain[: len(holdout)] if preset == "paper" else retain
    inside, outside, asked = (
        _feature(signals, rows, feature, published=preset == "paper")[:, None]
        for rows in (members, holdout, forget)
    )
    x = np.concatenate([inside, outside])
    y = np.repeat([1, 0], [len(members), len(holdout)])
    if preset == "paper":
        ids = signals.names[np.concatenate([members, holdout])]
        return 100 * float((~decided(x, y, asked, ids)).mean())
    scale = float(x.std()) or 1.0
    attack = LogisticRegression(class_weight="balanced")
    return 100 * float((attack.fit(x / scale, y).predict(asked / scale) == 0).mean())


def published_words(signals: Signals) -> str:
    """Return what the figure by the published classifier is, with what was rounded for it."""
    _, retain, holdout = _role_rows(signals)
    rounded = min(len(retain), len(holdout)) + len(holdout) > EXACT
    return "MIA-efficacy by the published SVC" + (", confidences rounded to 0.001" if rounded else "")


def _feature(signals: Signals, rows: NDArray[np.int64], name: str, *, published: bool) -> NDArray[np.float64]:
    if name == "confidence":
        scaled = signals.scaled_logits("unlearned")[rows]
        return confidence_of(scaled) if published else scaled
    logits, labels = signals.unlearned[rows], signals.labels[rows]
    if name == "correctness":
        return np.asarray(logits.argmax(axis=1) == labels, dtype=np.float64)
    p = softmax(logits)
    log_p = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    if name == "entropy":
        return np.asarray(-(p * log_p).sum(axis=1))
    if published:
        there = np.isin(np.arange(p.shape[1]), labels)
        return np.asarray(-(np.where(there, 1 - p, p) * log_p).sum(axis=1))
    log_rest = np.log(np.maximum(1 - p, np.finfo(np.float64).tiny))
    rows = np.arange(len(labels))
    own = (1 - p[rows, labels]) * log_p[rows, labels]
    others = (p * log_rest).sum(axis=1) - p[rows, labels] * log_rest[rows, labels]
    return np.asarray(-own - others)


@checked
def average_disparity(figures: Mapping[str, float], retrained: Mapping[str, float]) -> float:
    """Mean absolute gap to the retrained model over UA, MIA-efficacy, RA and TA, in points; 0 = the same."""
    missing = [name for name in PARTS if name not in figures or name not in retrained]
    if missing:
        raise InputError(f"The average disparity needs {', '.join(missing)}, which could not be computed.")
    own, exact = (as_floats("The figures", [side[name] for name in PARTS]) for side in (figures, retrained))
    return float(np.abs(own - exact).mean())


def _role_rows(signals: Signals) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of forget, retain and holdout samples; forgotten classes leave the holdout."""
    forget, retain, holdout = (np.flatnonzero(signals.roles == r) for r in ("forget", "retain", "holdout"))
    classes = signals.strata
    gone = np.setdiff1d(np.unique(classes[forget]), classes[retain])
    if len(retain) and len(gone):
        holdout = holdout[~np.isin(classes[holdout], gone)]
    return forget, retain, holdout
