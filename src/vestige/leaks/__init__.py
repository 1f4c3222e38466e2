"""What unlearning itself gives away: an adversary who sees two versions of a model infers who was deleted."""

from vestige.leaks.attack import Attack, Leakage, attack, attack_models, three_way
from vestige.leaks.defences import defended
from vestige.leaks.features import FEATURES, features_of, score_of
from vestige.leaks.metrics import Degradation, Figures, clustered_interval, degradation, figures
from vestige.leaks.record import PosteriorPairs
from vestige.leaks.settings import SETTINGS, Setting, make_pairs
from vestige.leaks.targets import Network, targets

__all__ = [
    "FEATURES",
    "SETTINGS",
    "Attack",
    "Degradation",
    "Figures",
    "Leakage",
    "Network",
    "PosteriorPairs",
    "Setting",
    "attack",
    "attack_models",
    "clustered_interval",
    "defended",
    "degradation",
    "features_of",
    "figures",
    "make_pairs",
    "score_of",
    "targets",
    "three_way",
]
