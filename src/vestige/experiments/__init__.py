"""Whole runs: from a configuration to models, signals, audits and a report, resumable at any point."""

from vestige.experiments.config import RunConfig, load_config
from vestige.experiments.runner import Run, run

__all__ = ["Run", "RunConfig", "load_config", "run"]
