"""The record between training and measuring: `Signals`, and the transforms that measures start from."""

from vestige.signals.collect import collect_features, collect_fit, collect_logits, collect_sensitivity
from vestige.signals.fields import ROLES
from vestige.signals.kinds import KINDS, Outputs
from vestige.signals.record import Signals
from vestige.signals.simulate import exchanged_deletions, simulated_deletions

__all__ = [
    "KINDS", "ROLES", "Outputs", "Signals", "collect_features", "collect_fit", "collect_logits", "collect_sensitivity",
    "exchanged_deletions", "simulated_deletions",
]  # fmt: skip
