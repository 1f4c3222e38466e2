"""The attack: fit on pairs of shadow models, where the status is known, and apply to the target's pairs.

Features and attack models are chosen on shadow rows, by cross-validation that leaves whole sets out, never on target
rows. The gain is over the strongest attack that sees one version only, and that one is chosen on the target rows, in
hindsight and in its favour: a gain that is shown is rather too small than too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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

from vestige.arguments import Seed, checked
from vestige.errors import InputError, every, unknown
from vestige.estimators import expect_classifier
from vestige.evaluation.roc import auc
from vestige.leaks.defences import defended
from vestige.leaks.features import (
    FEATURES,
    ONE_MODEL,
    ONE_MODEL_SCORES,
    SCORES,
    features_of,
    score_of,
    transfers,
)
from vestige.leaks.metrics import Degradation, Figures, clustered_interval, degradation, figures
from vestige.leaks.record import PosteriorPairs

Floats = NDArray[np.float64]
FOLDS = 5
KNOWN = (*FEATURES, *ONE_MODEL, *ONE_MODEL_SCORES, *SCORES)


@checked
def attack_models(seed: Seed = 0) -> dict[str, Any]:
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

    Attributes
    ----------
    feature : str
        What it reads.
    model : str
        Its attack model, or "threshold" where the score needs none.
    versions : int
        How many versions of the model it sees: 1 or 2.
    shadow : float
        AUC on shadow rows, cross-validated over sets: what it is chosen by.
    target : Figures
        Figures on the target's rows.
    degradation : Degradation or None
        Of an attack on two versions against the best on one version by the same attack model; None for
        thresholds, which give no probabilities, and where there is none to compare with.
    """

    feature: str
    model: str
    versions: int
    shadow: float
    target: Figures
    degradation: Degradation | None = None


@dataclass(frozen=True, eq=False)
class Leakage:
    """Result of `attack`.

    Attributes
    ----------
    attacks : tuple[Attack, ...]
        Every attack, best on shadow rows first.
    best : Attack
        The chosen attack that sees both versions.
    baseline : Attack
        The strongest attack on the target that sees the original only.
    gain : float
        AUC of `best` minus AUC of `baseline`, on target rows.
    gain_low, gain_high : float
        95 % interval over resampled sets.
    scores, baseline_scores : float [n]
        Of the target's rows, by `best` and by `baseline`; larger = more likely `positive`.
    truth : bool [n]
        Which of those rows are `positive`.
    """

    attacks: tuple[Attack, ...]
    best: Attack
    baseline: Attack
    gain: float
    gain_low: float
    gain_high: float
    scores: Floats
    baseline_scores: Floats
    truth: NDArray[np.bool_]

    def __repr__(self) -> str:
        best, alone = self.best, self.baseline
        both = f"AUC {best.target.auc:.3f} by {best.feature} ({best.model}) of two versions"
        one = f"{alone.target.auc:.3f} by {alone.feature} of one"
        return f"Leakage: {both}, {one}; gain {self.gain:.3f} [{self.gain_low:.3f}, {self.gain_high:.3f}]"

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each attack."""
        return [
            {
                "feature": a.feature, "attack": a.model, "versions": a.versions, "shadow_auc": a.shadow,
                "auc": a.target.auc, "low": a.target.low, "high": a.target.high, "accuracy": a.target.accuracy,
                "tpr_1%": a.target.tpr_1, "tpr_0.1%": a.target.tpr_01,
                "deg_count": a.degradation and a.degradation.count, "deg_ties": a.degradation and a.degradation.ties,
                "deg_rate": a.degradation and a.degradation.rate,
            }
            for a in self.attacks
        ]  # fmt: skip


@checked
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
    seed: Seed = 0,
) -> Leakage:
    """Attack the target's pairs after learning on the shadow's.

    Shadow models may be of another kind, and trained on data with other classes: sorted features are then cut to the
    classes that both have, and features by class are left out.

    Parameters
    ----------
    positive, negative : str
        Statuses to tell apart: published "deleted" against "outside".
    models : Sequence[str] or dict[str, Any]
        Names of attack models, or a dictionary of your own scikit-learn classifiers.
    features : Sequence[str] or None
        Names of features and of scores that need no attack model; default: all that the pairs allow.
    defence : str
        What the target publishes, see `vestige.leaks.defences.defended`.
    adaptive : bool
        Does the attacker apply the defence to the shadow models too?

    Raises
    ------
    InputError
        Where names are unknown, a status is missing, or a feature is asked for that does not transfer.
    """
    chosen = choose_models(models, seed)
    known, asked = shadow.of(positive, negative), target.of(positive, negative)
    known = defended(known, defence) if adaptive else known
    asked = defended(asked, defence)
    truth, wanted = known.status == positive, asked.status == positive
    names = KNOWN if features is None else tuple(features)
    expect_features(names)
    attacks: list[Attack] = []
    outputs: dict[tuple[str, str], Floats] = {}
    same = known.classes == asked.classes
    fewest = min(known.classes, asked.classes)
    for name in (n for n in names if n in FEATURES or n in ONE_MODEL):
        if not same and not transfers(name):
            if features is None:
                continue  # nobody asked for it, and it says which class is which
            raise InputError(
                f"{name} has an entry for each class, {known.classes} on the shadow side and {asked.classes} on the "
                "target's; between different classes the sorted features and l2_distance transfer."
            )
        x, z = (features_of(side, name, classes=fewest) for side in (known, asked))
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
    best = next((a for a in attacks if a.versions == 2), None)
    baseline = max((a for a in attacks if a.versions == 1), key=lambda a: a.target.auc, default=None)
    if best is None or baseline is None:
        raise InputError(
            "An attack on two versions and one on a single version are needed to speak of a gain."
        )
    scores, other = (outputs[a.feature, a.model] for a in (best, baseline))
    low, high = clustered_interval(scores, wanted, asked.sets, baseline=other)
    best, baseline = (_compared(a, attacks, outputs, wanted) for a in (best, baseline))
    return Leakage(
        attacks=tuple(_compared(a, attacks, outputs, wanted) for a in attacks),
        best=best,
        baseline=baseline,
        gain=best.target.auc - baseline.target.auc,
        gain_low=low,
        gain_high=high,
        scores=scores,
        baseline_scores=other,
        truth=wanted,
    )


def _compared(
    one: Attack,
    attacks: Sequence[Attack],
    outputs: dict[tuple[str, str], Floats],
    truth: NDArray[np.bool_],
) -> Attack:
    """Return the attack with its degradation."""
    others = [a for a in attacks if a.versions == 1 and a.model == one.model]
    if one.versions == 1 or one.model == "threshold" or not others:
        return one
    other = max(others, key=lambda a: a.target.auc)
    probability, baseline = (outputs[a.feature, a.model] for a in (one, other))
    return replace(one, degradation=degradation(probability, baseline, truth))


@checked
def three_way(
    shadow: PosteriorPairs, target: PosteriorPairs, *, model: Any = None, seed: Seed = 0
) -> dict[str, float]:
    """Return one-against-rest AUCs of an attack that tells deleted, remaining and outside apart.

    Parameters
    ----------
    model : Any
        A scikit-learn classifier; default: a random forest on sorted posteriors, differences and distance.
    """
    known, asked = (side.of("deleted", "remaining", "outside") for side in (shadow, target))
    model = attack_models(seed)["random-forest"] if model is None else expect_classifier(model)
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


def choose_models(models: Sequence[str] | dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the named attack models, or a dictionary as it is. Raises `InputError` for every unknown name."""
    if isinstance(models, dict):
        return {str(name): expect_classifier(model) for name, model in models.items()}
    available = attack_models(seed)
    return dict(every("attacks", models, lambda name: (name, _one_of("attack model", name, available))))


def expect_features(names: Iterable[str]) -> None:
    """Raise `InputError` for every name that is neither of features nor of a score."""
    every("features", names, lambda name: _one_of("feature", name, dict.fromkeys(KNOWN)))


def _one_of(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise InputError(unknown(kind, name, known))
    return known[name]


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
