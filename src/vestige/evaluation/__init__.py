"""How good an unlearning is and how good a measure is: figures, controls, verdicts, the audit."""

from vestige.evaluation.accuracy import accuracy_figures, average_disparity, mia_efficacy
from vestige.evaluation.audit import DEFAULT_MEASURES, audit
from vestige.evaluation.epsilon import Epsilon, epsilon
from vestige.evaluation.result import Audit, Control, MeasureRun, Metric, Verdict
from vestige.evaluation.roc import (
    auc,
    balanced_accuracy,
    bootstrap,
    figures,
    roc,
    tnr_at_fnr,
    tpr_at_fpr,
)

__all__ = [
    "DEFAULT_MEASURES",
    "Audit",
    "Control",
    "Epsilon",
    "MeasureRun",
    "Metric",
    "Verdict",
    "accuracy_figures",
    "auc",
    "audit",
    "average_disparity",
    "balanced_accuracy",
    "bootstrap",
    "epsilon",
    "figures",
    "mia_efficacy",
    "roc",
    "tnr_at_fnr",
    "tpr_at_fpr",
]
