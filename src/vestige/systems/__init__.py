"""Systems: a user's own model, data and outputs, behind three questions; see `System`."""

from vestige.signals.kinds import KINDS, Outputs
from vestige.systems.base import Records, System
from vestige.systems.output_tables import audit_tables, signals_from_tables

__all__ = ["KINDS", "Outputs", "Records", "System", "audit_tables", "signals_from_tables"]
