"""The figures of an audit: each with its direction, range, reference value and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.evaluation.accuracy import (
    PARTS,
    accuracy_figures,
    average_disparity,
    mia_efficacy,
    published_words,
)
from vestige.evaluation.calibration import Reference, p_values
from vestige.evaluation.result import Metric
from vestige.evaluation.roc import FIGURES, bootstraps, figures
from vestige.signals import Signals

if TYPE_CHECKING:
    from vestige.evaluation.audits import Scored

Floats = NDArray[np.float64]
Spread = dict[str, tuple[float, float]]
DIRECTION = {
    "auc": "larger = forget and retained samples are told apart better",
    "balanced_accuracy": "larger = told apart better, at the best threshold on these samples",
    "tpr_at_fpr_1%": "larger = more retained samples recognised at 1 % of forget samples mistaken for retained",
    "tnr_at_fnr_1%": "larger = more forget samples recognised at 1 % of retained samples missed",
    "tnr_at_fnr_0": "larger = more forget samples recognised with no retained sample missed",
}
CHANCE = {
    "auc": 0.5,
    "balanced_accuracy": 0.5,
    "tpr_at_fpr_1%": 0.01,
    "tnr_at_fnr_1%": 0.01,
    "tnr_at_fnr_0": 0.0,
}
MODEL_FIGURES = {
    "unlearning_accuracy": ("UA: 100 - accuracy on the forget samples", "%"),
    "retain_accuracy": ("RA: accuracy on the retained samples", "%"),
    "test_accuracy": ("TA: accuracy on the holdout samples", "%"),
    "mia_efficacy": ("share of forget samples that a confidence attack calls non-members", "%"),
}
NEEDS = {
    "retain_accuracy": "there are no retained samples",
    "test_accuracy": "there are no holdout samples",
    "mia_efficacy": "retained and holdout samples are both needed",
}


def model_figures(signals: Signals) -> list[Metric]:
    """UA, RA, TA and MIA-efficacy of the audited model, and its average disparity to exact retraining."""
    own = accuracy_figures(signals)
    exact = _retrained_figures(signals)
    metrics = []
    for name in PARTS:
        words, _ = MODEL_FIGURES[name]
        metrics.append(
            Metric(
                "model",
                name,
                words,
                own.get(name),
                "closer to the retrained model's is better",
                (0.0, 100.0),
                reference=exact.get(name),
                reference_is="the retrained model's" if exact else "",
                n=len(signals),
                reason=None if name in own else _lacking(name, signals),
            )
        )
    if "mia_efficacy" in own:
        metrics.append(
            Metric(
                "model",
                "mia_efficacy_svc",
                published_words(signals),
                mia_efficacy(signals, "paper"),
                "closer to the retrained model's is better",
                (0.0, 100.0),
                n=len(signals),
            )
        )
    value, reason = None, None
    try:
        value = average_disparity(own, exact)
    except InputError as error:
        reason = str(error) if exact else "there is no retrained model to compare with"
    metrics.append(
        Metric(
            "model",
            "average_disparity",
            "mean gap to retraining over UA, MIA-efficacy, RA and TA",
            value,
            "smaller is better",
            (0.0, 100.0),
            reference=0.0,
            reference_is="the retrained model's",
            n=len(signals),
            reason=reason,
        )
    )
    return metrics


def _lacking(name: str, signals: Signals) -> str:
    """Return why a figure of the model could not be computed."""
    unknown = signals.correct is None and name != "mia_efficacy"
    return "the predicted class is not known, only how likely the truth is" if unknown else NEEDS[name]


def _retrained_figures(signals: Signals) -> dict[str, float]:
    if signals.retrained is None:
        return {}
    each = [accuracy_figures(signals.with_(unlearned=logits)) for logits in signals.retrained]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def measure_figures(signals: Signals, scored: list[Scored], alpha: float, seed: int) -> list[Metric]:
    """Separation of forget from retained samples per measure, and what happened to the retained ones."""
    metrics: list[Metric] = []
    pairs = [tuple(one.scores[signals.roles == role] for role in ("forget", "retain")) for one in scored]
    n = int(np.isin(signals.roles, ("forget", "retain")).sum())
    spreads: Sequence[Spread | None] = [None] * len(pairs)
    if (signals.roles == "retain").any():
        spreads = bootstraps(pairs, draws=1000 if n <= 20_000 else 200, seed=seed)
    for one, (forget, retain), spread in zip(scored, pairs, spreads, strict=True):
        name = one.run.label
        metrics += _separation(name, forget, retain, spread)
        metrics.append(_detectable(one, alpha))
        if isinstance(one.reference, Reference) and len(retain):
            damaged = float((p_values(retain, one.reference.null)[1] <= alpha).mean())
            metrics.append(
                Metric(
                    name,
                    "retained_beyond_null",
                    f"share of retained samples with p_over <= {alpha:g}",
                    damaged,
                    "smaller is better: retained samples that look unlearned too far",
                    (0.0, 1.0),
                    reference=alpha,
                    reference_is="the share among never-seen samples",
                    n=len(retain),
                )
            )
    return metrics


def _separation(name: str, forget: Floats, retain: Floats, spread: Spread | None) -> list[Metric]:
    text = "forget against retained samples"
    if spread is None:
        reason = "there are no retained samples to compare with"
        return [Metric(name, "auc", text, None, DIRECTION["auc"], (0.0, 1.0), n=len(forget), reason=reason)]
    n = len(forget) + len(retain)
    values = figures(forget, retain)
    return [
        Metric(
            name,
            figure,
            text,
            values[figure],
            DIRECTION[figure],
            (0.0, 1.0),
            *spread[figure],
            reference=CHANCE[figure],
            reference_is="chance",
            n=n,
        )
        for figure in FIGURES
    ]


def _detectable(one: Scored, alpha: float) -> Metric:
    """The smallest influence left in a record that the measure would have flagged with 80 % probability."""
    value, reason = None, None
    if isinstance(one.scale, str) or isinstance(one.reference, str):
        reason = one.scale if isinstance(one.scale, str) else str(one.reference)
    else:
        value = one.scale.detectable(one.reference.null, alpha)
        if value is None:
            whole = one.scale.power(one.reference.null, alpha)[1][-1]
            reason = f"even an untouched record is flagged in {whole:.0%} of cases only"
    return Metric(
        one.run.label,
        "detectable_influence",
        f"smallest influence left in one record that is flagged with 80 % probability at p_under <= {alpha:g}",
        value,
        "smaller is better: a weaker trace would be seen",
        (0.0, 1.0),
        reference=1.0,
        reference_is="the influence in an untouched record",
        n=0 if isinstance(one.scale, str) else one.scale.scores.shape[1],
        reason=reason,
    )
