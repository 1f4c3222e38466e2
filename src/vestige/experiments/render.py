"""The report of a run folder, with pictures where the data are images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vestige.data import Dataset
from vestige.evaluation import Audit
from vestige.evaluation.page import write_report


def render(
    folder: Path, audits: dict[str, Audit], manifest: dict[str, Any], data: Dataset | None = None
) -> Path:
    """Write `report.html` for the audits of a folder."""
    pictures = None
    if data is not None and data.is_image:
        from vestige.data.pictures import pictures_of

        pictures = pictures_of(data)
    title = manifest.get("config", {}).get("title") or manifest.get("name")
    return write_report(folder / "report.html", audits, title=title, manifest=manifest, pictures=pictures)
