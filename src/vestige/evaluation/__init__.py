"""How good an unlearning is and how good a measure is: figures, controls, verdicts, the audit."""

from vestige.evaluation.accuracy import accuracy_figures, average_disparity, mia_efficacy
from vestige.evaluation.audits import DEFAULT_MEASURES, audit_signals
from vestige.evaluation.distribution import Distance, distance
from vestige.evaluation.epsilon import Epsilon, epsilon
from vestige.evaluation.features import Features
from vestige.evaluation.folder import audit_file
from vestige.evaluation.forgetting import ForgettingScore, forgetting_score
from vestige.evaluation.outlook import Outlook, outlook
from vestige.evaluation.page import compare, write_report
from vestige.evaluation.result import Audit, MeasureRun, Metric
from vestige.evaluation.retained import Effect, Retained, retained_effects
from vestige.evaluation.roc import (
    auc,
    balanced_accuracy,
    bootstrap,
    figures,
    roc,
    tnr_at_fnr,
    tpr_at_fpr,
)
from vestige.evaluation.scoreui import ScoreUI, scoreui
from vestige.evaluation.verdict import Control, Power, Verdict

__all__ = [
    "DEFAULT_MEASURES",
    "Audit",
    "Control",
    "Distance",
    "Effect",
    "Epsilon",
    "Features",
    "ForgettingScore",
    "MeasureRun",
    "Metric",
    "Outlook",
    "Power",
    "Retained",
    "ScoreUI",
    "Verdict",
    "accuracy_figures",
    "auc",
    "audit_file",
    "audit_signals",
    "average_disparity",
    "balanced_accuracy",
    "bootstrap",
    "compare",
    "distance",
    "epsilon",
    "figures",
    "forgetting_score",
    "mia_efficacy",
    "outlook",
    "retained_effects",
    "roc",
    "scoreui",
    "tnr_at_fnr",
    "tpr_at_fpr",
    "write_report",
]
