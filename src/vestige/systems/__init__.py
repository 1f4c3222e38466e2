"""Systems: a user's own model, data and outputs, behind three questions; see `System`."""

from vestige.signals.kinds import KINDS, Outputs
from vestige.systems.base import Records, System

__all__ = ["KINDS", "Outputs", "Records", "System"]
