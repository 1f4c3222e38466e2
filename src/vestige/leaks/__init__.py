"""What unlearning itself gives away: an adversary who sees two versions of a model infers who was deleted."""

from vestige.leaks.attack import Attack, Leakage, attack, attack_models, three_way
from vestige.leaks.config import LeakConfig
from vestige.leaks.defences import defended
from vestige.leaks.experiment import LeakPlan, attack_files, plan_leaks, run_leaks
from vestige.leaks.features import FEATURES, features_of, score_of
from vestige.leaks.findings import Defended, Findings, attack_pairs
from vestige.leaks.metrics import Degradation, Figures, clustered_interval, degradation, figures, overfitting
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import SETTINGS, PairSet, Setting, make_pairs
from vestige.leaks.targets import Network, hardened, targets

__all__ = [
    "FEATURES",
    "SETTINGS",
    "Attack",
    "Defended",
    "Degradation",
    "Figures",
    "Findings",
    "LeakConfig",
    "LeakPlan",
    "Leakage",
    "Network",
    "PairSet",
    "PosteriorPairs",
    "Setting",
    "attack",
    "attack_files",
    "attack_models",
    "attack_pairs",
    "clustered_interval",
    "defended",
    "degradation",
    "features_of",
    "figures",
    "hardened",
    "make_pairs",
    "overfitting",
    "plan_leaks",
    "run_leaks",
    "score_of",
    "targets",
    "three_way",
]
