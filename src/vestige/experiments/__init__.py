"""Whole runs: from a configuration to models, signals, audits and a report, resumable at any point."""

from typing import TYPE_CHECKING, Any

from vestige.experiments.answer import Answer, forget, forget_costs
from vestige.experiments.audits import audit
from vestige.experiments.requests import RequestConfig
from vestige.experiments.runner import Run, run

if TYPE_CHECKING:
    from vestige.experiments.config import RunConfig, load_config

__all__ = [
    "Answer",
    "RequestConfig",
    "Run",
    "RunConfig",
    "audit",
    "forget",
    "forget_costs",
    "load_config",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load what needs torch when it is first asked for: runs of networks."""
    if name not in ("RunConfig", "load_config"):
        raise AttributeError(f"module 'vestige.experiments' has no attribute {name!r}")
    from vestige.experiments import config

    return getattr(config, name)
