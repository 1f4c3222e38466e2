"""The folder of an audit: audit a file of signals into one, and write its report again from what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import vestige
from vestige.errors import ArtefactError, InputError
from vestige.evaluation.audits import DEFAULT_MEASURES, MeasureSpec, audit_signals
from vestige.evaluation.page import write_report
from vestige.evaluation.result import Audit
from vestige.signals import Signals
from vestige.store import file_hash, is_vacant, key_of, read_record


def audit_file(
    path: Path | str,
    folder: Path | str,
    measures: Iterable[MeasureSpec] | None = None,
    *,
    preset: str = "recommended",
    alpha: float = 0.05,
    tolerance: float = 0.1,
) -> Audit:
    """Audit a file of signals into a folder, as `vestige audit` does; see `vestige.audit`.

    Parameters
    ----------
    path : path
        `.npz`, `.csv`, `.parquet`, or a folder of signals.
    folder : path
        Empty, new, or that of this very audit: gets the audit's data, manifest.json and report.html.
    measures, preset, alpha, tolerance
        As of `vestige.audit`.

    Returns
    -------
    Audit
        Named after the file.

    Raises
    ------
    InputError
        Before any work where the folder holds something else, and as `vestige.audit` does.
    """
    path = Path(path)
    signals = Signals.load(path)
    digest = file_hash(path if path.is_file() else path / "signals.json")
    return audit_into(
        folder, signals, path.stem, [digest], {"signals": str(path)}, {path.name: digest}, measures, preset=preset,
        alpha=alpha, tolerance=tolerance,
    )  # fmt: skip


def audit_into(
    folder: Path | str,
    signals: Signals,
    name: str,
    source: Sequence[object],
    config: Mapping[str, Any],
    hashes: Mapping[str, str],
    measures: Iterable[MeasureSpec] | None = None,
    *,
    preset: str = "recommended",
    alpha: float = 0.05,
    tolerance: float = 0.1,
) -> Audit:
    """Audit signals into a folder, which then holds everything; see `audit_file`.

    Parameters
    ----------
    folder : path
        Empty, new, or that of this very audit.
    signals : Signals
    name : str
        Of the audit.
    source : list
        What decides the signals, such as hashes of files; with the options it says which audit this is.
    config, hashes : mapping
        Where the signals come from, and the SHA-256 of the files that they were read from, for the manifest.
    measures, preset, alpha, tolerance
        As of `vestige.audit`.
    """
    folder, specs = Path(folder), list(DEFAULT_MEASURES if measures is None else measures)
    key = key_of(*source, specs, preset, alpha, tolerance, vestige.__version__)
    _claim(folder, key)
    result = audit_signals(signals, specs, name=name, preset=preset, alpha=alpha, tolerance=tolerance)
    known = {**config, "measures": specs, "preset": preset}
    result.save(folder, {"key": key, "config": known, "hashes": dict(hashes)})
    return result


def _claim(folder: Path, key: str) -> None:
    """Refuse a folder that holds something else than this very audit."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; a folder for the results is wanted.")
    if is_vacant(folder):
        return
    path = folder / "manifest.json"
    if not path.exists():
        raise InputError(f"{folder} is not empty and holds no audit; name another folder with --out.")
    try:
        known = read_record(path).get("key")
    except ArtefactError as damage:
        raise InputError(f"{damage} Delete {folder}, or name another folder with --out.") from None
    if known != key:
        raise InputError(f"{folder} holds another run; name another folder with --out.")


def sealed(folder: Path, name: str, manifest: Mapping[str, Any]) -> Audit:
    """Return the audit whose seal is the file `name`; refuse one that is not the manifest's."""
    hashes, seal = manifest.get("hashes"), folder / name
    wanted = hashes.get(name) if isinstance(hashes, Mapping) else None
    if seal.is_file() and file_hash(seal) != wanted:
        raise ArtefactError(
            f"{seal} is not the audit that {folder / 'manifest.json'} names; it was changed or swapped, audit again."
        )
    return Audit.load(seal.parent)


def report_again(folder: Path) -> dict[str, Audit]:
    """Write report.html again from the files of an audit's folder; return the audit by its name.

    Raises `ArtefactError` where a file is missing or was changed, `InputError` where the folder holds no audit.
    """
    manifest = read_record(folder / "manifest.json")
    if manifest.get("kind") != "audit":
        raise InputError(
            f"{folder} holds neither a run nor an audit of arrays; for texts and for two versions run the same command "
            "again: what is done is kept."
        )
    result = sealed(folder, "audit.json", manifest)
    write_report(folder / "report.html", {result.name: result}, manifest=manifest)
    return {result.name: result}
