"""Optional trackers: a finished table's figures, sent to MLflow or TensorBoard. The result file stays the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vestige.errors import InputError, need, unknown
from vestige.experiments.bench.table import values_of

Tracker = Callable[[dict[str, Any], Path], None]
TRACKERS = ("mlflow", "tensorboard")


def tracker(name: str | None) -> Tracker:
    """Return what logs a result; None: nothing is logged.

    Raises `InputError` for an unknown name, `MissingExtra` where the package is not installed.
    """
    if name is None:
        return lambda result, path: None
    if name not in TRACKERS:
        raise InputError(unknown("tracker", name, TRACKERS))
    return _mlflow() if name == "mlflow" else _tensorboard()


def _figures(result: dict[str, Any]) -> dict[str, float]:
    return {f"{v.column}/{v.row}": v.mean for v in values_of(result) if v.mean is not None}


def _mlflow() -> Tracker:
    mlflow: Any = need("mlflow", "track", "the tracker mlflow")

    def log(result: dict[str, Any], path: Path) -> None:
        with mlflow.start_run(run_name=f"{result['name']}-{result['scale']}"):
            mlflow.log_params(
                {"experiment": result["name"], "scale": result["scale"], "vestige": result["vestige"]}
            )
            mlflow.log_metrics({_plain(name): value for name, value in _figures(result).items()})
            mlflow.log_artifact(str(path))

    return log


def _tensorboard() -> Tracker:
    board: Any = need("tensorboardX", "track", "the tracker tensorboard")

    def log(result: dict[str, Any], path: Path) -> None:
        writer = board.SummaryWriter(
            str(path.parent.parent / "tensorboard" / f"{result['name']}-{result['scale']}")
        )
        for name, value in _figures(result).items():
            writer.add_scalar(_plain(name), value)
        writer.close()

    return log


def _plain(name: str) -> str:
    """Return a name of letters, digits and what every tracker allows."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)
