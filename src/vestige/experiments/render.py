"""The reports of run folders: with pictures where the data are images, and page by page where they are texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import vestige
from vestige.data import Dataset, load_dataset
from vestige.errors import ArtefactError, InputError
from vestige.evaluation import Audit
from vestige.evaluation.folder import sealed
from vestige.evaluation.page import write_report
from vestige.experiments.forgetting import Forgetting
from vestige.store import read_record, write_json

if TYPE_CHECKING:
    from vestige.experiments.text_config import LlmConfig
    from vestige.experiments.texts import LlmRun

TABLE = ("iam", "lira_online", "loss", "min_k", "zlib")
"""Measures on texts whose AUC stands beside the verdicts of a run."""


def render(
    folder: Path, audits: dict[str, Audit], manifest: dict[str, Any], data: Dataset | None = None
) -> Path:
    """Write `report.html` for the audits of a folder."""
    pictures = None
    if data is not None and data.is_image and data.x.dtype == np.uint8:
        from vestige.data.pictures import pictures_of

        pictures = pictures_of(data)
    title = manifest.get("config", {}).get("title") or manifest.get("name")
    return write_report(folder / "report.html", audits, title=title, manifest=manifest, pictures=pictures)


def report_again(folder: Path, say: Callable[[str], None]) -> dict[str, Audit]:
    """Write report.html again from the files of a finished run; return its audits by method.

    Raises `ArtefactError` where a file is missing or was changed, `InputError` where the run is not finished.
    """
    manifest = read_record(folder / "manifest.json")
    if "created" not in manifest:
        raise InputError(
            f"{folder} holds a run that is not finished; the same vestige run command continues it."
        )
    titles, loaded_by = _told(folder, manifest)
    audits = {title: sealed(folder, f"audits/{title}/audit.json", manifest) for title in titles}
    data = None
    try:
        data = load_dataset(**loaded_by) if loaded_by else None
    except InputError as error:
        say(f"the report has no pictures: {error}")
    render(folder, audits, manifest, data)
    return audits


def _told(folder: Path, manifest: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the titles of a run's methods, and what its data are loaded by; a system has its own."""
    try:
        config = manifest["config"]
        if "how" in config:
            return [Forgetting.of(spec).title for spec in config["how"]], {}
        titles = [str(m["label"] or m["name"]) for m in config["methods"]]
        data = {"root": None, **config["data"], "name": config["data"]["name"]}
    except (KeyError, TypeError):
        raise ArtefactError(
            f"{folder / 'manifest.json'}: it names no methods and data as a run's does; was it edited?"
        ) from None
    return titles, data


def save_texts(
    run: LlmRun, config: LlmConfig, models: Sequence[Mapping[str, Any]], folder: Path
) -> dict[str, Any]:
    """Write the folder of a run on texts: one for each model, llm.json and report.html; return what llm.json holds.

    Parameters
    ----------
    models : Sequence[Mapping[str, Any]]
        A row for each model, with the AUCs of the measures in `TABLE`.
    """
    manifest = {
        "kind": "llm", "vestige": vestige.__version__, "config": config.model_dump(mode="json"),
        "seconds": run.seconds, "words": run.words,
    }  # fmt: skip
    by_id = dict(zip(run.texts.ids, run.texts.texts, strict=True))
    words = run.words.get("forget and holdout")
    for name, audit in run.audits.items():
        audit.save(folder / name, by_id, manifest=manifest, words=words)
    audits = {name: audit.audit for name, audit in run.audits.items()}
    write_report(folder / "report.html", audits, title=config.title, manifest=manifest)
    record = {**manifest, "models": list(models)}
    write_json(folder / "llm.json", record)
    return record
