"""The attack: fit on pairs of shadow models, where the status is known, and apply to the target's pairs.

Features and attack models are chosen on shadow rows, by cross-validation that leaves whole sets out, never on target
rows. The gain is over the best attack that sees one version only, chosen in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from vestige.errors import InputError, unknown
from vestige.evaluation.roc import auc
from vestige.leaks.defences import defended
from vestige.leaks.features import FEATURES, ONE_MODEL, ONE_MODEL_SCORES, SCORES, features_of, score_of
from vestige.leaks.metrics import Degradation, Figures, clustered_interval, degradation, figures
from vestige.leaks.record import PosteriorPairs

Floats = NDArray[np.float64]
FOLDS = 5


def attack_models(seed: int = 0) -> dict[str, Any]:
    """Return the attack models by name, unfitted; scalers are part of the model and see shadow rows only."""
    return {
        "logistic-regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "decision-tree": DecisionTreeClassifier(max_leaf_nodes=10, random_state=seed),
        "random-forest": RandomForestClassifier(200, min_samples_leaf=10, random_state=seed),
        "mlp": make_pipeline(
            StandardScaler(), MLPClassifier(early_stopping=True, learning_rate_init=0.01, random_state=seed)
        ),
    }


@dataclass(frozen=True)
class Attack:
    """One attack on the target.

    feature   what it reads
    model     its attack model, or "threshold" where the score needs none
    versions  how many versions of the model it sees: 1 or 2
    shadow    AUC on shadow rows, cross-validated over sets: what it is chosen by
    target    figures on the target's rows
    """

    feature: str
    model: str
    versions: int
    shadow: float
    target: Figures


@dataclass(frozen=True, eq=False)
class Leakage:
    """Result of `attack`.

    attacks     every attack, best on shadow rows first
    best        the chosen attack that sees both versions
    baseline    the chosen attack that sees the original only
    gain        AUC of `best` minus AUC of `baseline`, on target rows
    gain_low, gain_high  95 % interval over resampled sets
    degradation of `best` against `baseline`; None where one of them is a threshold, which has no probabilities
    probability [n] `best`'s scores of the target's rows
    """

    attacks: tuple[Attack, ...]
    best: Attack
    baseline: Attack
    gain: float
    gain_low: float
    gain_high: float
    degradation: Degradation | None
    scores: Floats

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each attack."""
        return [
            {
                "feature": a.feature, "attack": a.model, "versions": a.versions, "shadow_auc": a.shadow,
                "auc": a.target.auc, "low": a.target.low, "high": a.target.high, "accuracy": a.target.accuracy,
                "tpr_1%": a.target.tpr_1, "tpr_0.1%": a.target.tpr_01,
            }
            for a in self.attacks
        ]  # fmt: skip


def attack(
    shadow: PosteriorPairs,
    target: PosteriorPairs,
    *,
    positive: str = "deleted",
    negative: str = "outside",
    models: Sequence[str] | dict[str, Any] = ("logistic-regression", "decision-tree", "random-forest"),
    features: Sequence[str] | None = None,
    defence: str = "none",
    adaptive: bool = True,
    seed: int = 0,
) -> Leakage:
    """Attack the target's pairs after learning on the shadow's.

    positive, negative  statuses to tell apart: published "deleted" against "outside"
    models     names of attack models, or a dictionary of your own scikit-learn classifiers
    features   names of features and of scores that need no attack model; default: all that the pairs allow
    defence    what the target publishes, see `vestige.leaks.defences.defended`
    adaptive   does the attacker apply the defence to the shadow models too?

    Raises `InputError` where names are unknown, a status is missing, or vectors differ in length between the sides.
    """
    chosen = _models(models, seed)
    known, asked = shadow.of(positive, negative), target.of(positive, negative)
    known = defended(known, defence) if adaptive else known
    asked = defended(asked, defence)
    truth, wanted = known.status == positive, asked.status == positive
    available = (*FEATURES, *ONE_MODEL, *ONE_MODEL_SCORES, *SCORES)
    names = available if features is None else tuple(features)
    for name in names:
        if name not in available:
            raise InputError(unknown("feature", name, available))
    attacks: list[Attack] = []
    outputs: dict[tuple[str, str], Floats] = {}
    for name in (n for n in names if n in FEATURES or n in ONE_MODEL):
        x, z = features_of(known, name), features_of(asked, name)
        if x.shape[1] != z.shape[1]:
            raise InputError(
                f"{name} has {x.shape[1]} entries on the shadow side and {z.shape[1]} on the target's; with different "
                "classes only l2_distance transfers."
            )
        for title, model in chosen.items():
            cross = _cross_validated(model, x, truth, known.sets)
            scores = np.asarray(clone(model).fit(x, truth).predict_proba(z)[:, 1])
            outputs[name, title] = scores
            found = figures(scores, wanted, asked.sets, threshold=0.5)
            attacks.append(Attack(name, title, 1 if name in ONE_MODEL else 2, cross, found))
    labelled = known.labels is not None and asked.labels is not None
    for name in (n for n in names if n in ONE_MODEL_SCORES or n in SCORES):
        if features is None and not labelled and name.startswith("true"):
            continue  # nobody asked for it, and it needs labels
        own, scores = score_of(known, name), score_of(asked, name)
        outputs[name, "threshold"] = scores
        found = figures(scores, wanted, asked.sets)
        attacks.append(
            Attack(
                name, "threshold", 1 if name in ONE_MODEL_SCORES else 2, auc(own[truth], own[~truth]), found
            )
        )
    attacks.sort(key=lambda a: -a.shadow)
    best, baseline = (next((a for a in attacks if a.versions == v), None) for v in (2, 1))
    if best is None or baseline is None:
        raise InputError(
            "An attack on two versions and one on a single version are needed to speak of a gain."
        )
    scores, other = (outputs[a.feature, a.model] for a in (best, baseline))
    low, high = clustered_interval(scores, wanted, asked.sets, baseline=other)
    degraded = None
    if "threshold" not in (best.model, baseline.model):
        degraded = degradation(scores, other, wanted)
    return Leakage(
        tuple(attacks), best, baseline, best.target.auc - baseline.target.auc, low, high, degraded, scores
    )


def three_way(
    shadow: PosteriorPairs, target: PosteriorPairs, *, model: Any = None, seed: int = 0
) -> dict[str, float]:
    """Return one-against-rest AUCs of an attack that tells deleted, remaining and outside apart.

    model  a scikit-learn classifier; default: a random forest on sorted posteriors, differences and distance
    """
    known, asked = (side.of("deleted", "remaining", "outside") for side in (shadow, target))
    model = attack_models(seed)["random-forest"] if model is None else model
    x, z = (
        np.concatenate(
            [features_of(side, name) for name in ("sorted_concat", "sorted_diff", "l2_distance")], axis=1
        )
        for side in (known, asked)
    )
    fitted = clone(model).fit(x, known.status)
    p = fitted.predict_proba(z)
    return {
        str(status): auc(p[asked.status == status, k], p[asked.status != status, k])
        for k, status in enumerate(fitted.classes_)
    }


def _models(models: Sequence[str] | dict[str, Any], seed: int) -> dict[str, Any]:
    if isinstance(models, dict):
        return models
    available = attack_models(seed)
    for name in models:
        if name not in available:
            raise InputError(unknown("attack model", name, available))
    return {name: available[name] for name in models}


def _cross_validated(model: Any, x: Floats, truth: NDArray[np.bool_], sets: NDArray[np.int64]) -> float:
    """AUC of scores for sets that the attack model did not see; of its own rows where there is one set only."""
    count = len(np.unique(sets))
    if count < 2:
        fitted = clone(model).fit(x, truth).predict_proba(x)[:, 1]
        return auc(fitted[truth], fitted[~truth])
    scores = np.zeros(len(x))
    for seen, held in GroupKFold(min(FOLDS, count)).split(x, truth, sets):
        scores[held] = clone(model).fit(x[seen], truth[seen]).predict_proba(x[held])[:, 1]
    return auc(scores[truth], scores[~truth])
