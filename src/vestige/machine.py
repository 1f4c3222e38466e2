"""What is installed, and what this machine can do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from importlib.resources import files
from typing import Any

import vestige

SCHEMA = "output-1.json"
"""The file in `schemas` that says what the commands print with --json; its number is the version of that."""
EXTRAS = {
    "torch": "torch",
    "dp": "opacus",
    "llm": "transformers",
    "ray": "ray",
    "copies": "imagehash",
    "ledger": "sqlalchemy",
    "mlflow": "mlflow-skinny",
    "sign": "securesystemslib",
    "track": "mlflow",
}
"""Every extra for users, with the distribution that says whether it is installed."""


def facts() -> dict[str, Any]:
    """Return what is installed, what this machine can do, and where data are looked for."""
    versions = {name: _version_of(module) for name, module in EXTRAS.items()}
    facts: dict[str, Any] = {
        "vestige": vestige.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "data folder (VESTIGE_DATA)": os.environ.get("VESTIGE_DATA") or "not set",
        "schema of --json": str(files("vestige").joinpath("schemas", SCHEMA)),
        "browser": next(filter(None, map(shutil.which, ("chromium", "google-chrome", "firefox"))), "none"),
    }
    facts |= _unverified()
    for extra, version in versions.items():
        facts[f"extra [{extra}]"] = version or f"missing: pip install 'vestige[{extra}]'"
    if versions["torch"]:
        import torch

        from vestige.training import has_fast_bf16

        facts["cuda"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
        facts["fast bf16"] = has_fast_bf16(torch.device("cpu"))
    return facts


def _unverified() -> dict[str, str]:
    """Say which data sets are downloaded without a published digest, and which of them over plain http."""
    from vestige.data.registry import DATASETS

    loose = {
        name: any(d.url.startswith("http://") for d in DATASETS[name].downloads if d.digest is None)
        for name in DATASETS
        if any(d.digest is None for d in DATASETS[name].downloads)
    }
    names = [f"{name} (plain http)" if plain_http else name for name, plain_http in loose.items()]
    return {"downloads trusted on first use": ", ".join(names) or "none"}


def _version_of(module: str) -> str | None:
    try:
        return importlib.metadata.version(module.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return None
