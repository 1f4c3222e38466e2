"""`verify`: does evidence hold? Offline, without torch, by keys that the reader pinned; every fault names its place.

The order is fixed: signatures, form, validity, files, arrays, recomputation. Nothing is read before a signature holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vestige.errors import ArtefactError, InputError
from vestige.evaluation.gate import Gate
from vestige.evidence import disclosure
from vestige.evidence.envelope import malformed, opened
from vestige.evidence.findings import Finding, Verification
from vestige.evidence.keys import public_key
from vestige.evidence.page import CARRIED, page
from vestige.evidence.recompute import recompute
from vestige.evidence.statement import OUTPUTS, PREDICATE_TYPE, Statement, parsed
from vestige.files import as_path, looked_at, parse_json, read_text, regular
from vestige.report.words import plural
from vestige.store import file_hash, files_in, read_record

MOST_BYTES = 64 * 2**20


def verify(
    path: Path | str, key: Path | str | Iterable[Path | str], signals: Path | str | None = None, *,
    weights: Path | str | None = None, salt: Path | str | None = None, proof: Path | str | None = None,
    gate: Gate | None = None, now: datetime | None = None, predicate_type: str = PREDICATE_TYPE,
) -> Verification:  # fmt: skip
    """Verify evidence by pinned public keys.

    Parameters
    ----------
    path : path
        `evidence.json`, or `evidence.html`, which carries it.
    key : path or several
        Public keys that the reader got on another way than the evidence. Each must have signed it.
    signals : path, optional
        The folder of the audit, or of its signals: every score and verdict is computed again.
    weights : path, optional
        The folder of the audited model's files.
    salt : path, optional
        `disclosure.json`. Default: beside the evidence, or in the folder of the signals.
    proof : path, optional
        The proof of a record's answer.
    gate : Gate, optional
        What is asked of the verdict. Default: that it is neither "under" nor "over".
    now : datetime, optional
        With a time zone; for the validity.
    predicate_type : str
        The predicate that is expected.

    Returns
    -------
    Verification
        Each finding names the file or field. Faults are findings, never exceptions, unless the reader's own input, a
        key or a folder, cannot be used.

    Raises
    ------
    InputError
        Where a key, or a folder that was named, cannot be read.
    """
    path = as_path(path)
    keys = [public_key(one) for one in ([key] if isinstance(key, (str, Path)) else key)]
    if not keys:
        raise InputError("No key is pinned; evidence is verified by the public key of whom you trust.")
    try:
        envelope = read_envelope(path)
    except ArtefactError as error:
        return Verification(None, (Finding("unusable", path.name, str(error).removeprefix(f"{path}: ")),))
    fault = malformed(envelope)
    if fault and fault.where == "envelope":
        return Verification(None, (Finding("unusable", path.name, fault.what),))
    body = opened(envelope, keys)
    if not isinstance(body, bytes):
        return Verification(None, tuple(Finding("tampered", one.where, one.what) for one in body))
    try:
        statement = parsed(body, path.name)
    except InputError as error:
        return Verification(None, (Finding("unusable", "schema", str(error)),))
    findings = _stated(statement, gate, now, predicate_type)
    findings += _page(path, statement, envelope) if path.suffix == ".html" else []
    findings += _files(statement, weights)
    if proof is not None:
        wrong = disclosure.proves(read_record(as_path(proof)), statement.predicate.audit.records)
        findings += [Finding("tampered", "proof", wrong)] if wrong else []
    if signals is None:
        findings.append(Finding("unchecked", "signals", "scores and verdicts were not computed again"))
    else:
        folder = as_path(signals)
        findings += recompute(statement, folder, disclosure.read_salt(_salt_of(salt, path, folder)))
    return Verification(statement, tuple(findings))


def read_envelope(path: Path) -> Any:
    """Return the envelope of a file, as JSON or as the page that carries it. Raises `ArtefactError` for none."""
    text = read_text(path, MOST_BYTES)
    if path.suffix == ".html":
        carried = CARRIED.findall(text)
        if len(carried) != 1:
            raise ArtefactError(f"{path}: it carries {len(carried)} machine forms; one is wanted.")
        text = carried[0]
    try:
        return parse_json(text)
    except ValueError as error:
        raise ArtefactError(f"{path}: it is no JSON ({error}); was it cut off?") from None


def _stated(
    statement: Statement, gate: Gate | None, now: datetime | None, predicate_type: str
) -> list[Finding]:
    """Check what the statement says of itself: its kind, its validity, its verdict."""
    findings, predicate = [], statement.predicate
    if statement.predicate_type != predicate_type:
        what = f"it is {statement.predicate_type!r}; {predicate_type!r} is wanted"
        findings.append(Finding("unusable", "predicateType", what))
    now = now or datetime.now(UTC)
    if statement.expired(now):
        what = f"it was valid until {predicate.valid_until.isoformat()}"
        findings.append(Finding("expired", "predicate.valid_until", what))
    if predicate.issued > now:
        what = f"it was issued at {predicate.issued.isoformat()}, which is to come"
        findings.append(Finding("unusable", "predicate.issued", what))
    verdict = predicate.audit.verdict
    if verdict.outcome in ("under", "over"):
        findings.append(Finding("failed", "predicate.audit.verdict", verdict.sentence))
    else:
        state, reason = (gate or Gate()).check(verdict)
        if state != "passed":
            findings.append(Finding(state, "predicate.audit.verdict", reason))
    return findings


def _files(statement: Statement, weights: Path | str | None) -> list[Finding]:
    """Compare the digests of the audited files; a link that leads out of the folder is not followed."""
    if statement.subject[0].name == OUTPUTS:
        return (
            []
            if weights is None
            else [Finding("unchecked", "weights", "no file of a model is a subject of this")]
        )
    if weights is None:
        what = f"the digests of {plural(len(statement.subject), 'file')} of the model were not compared"
        return [Finding("unchecked", "weights", what)]
    folder = as_path(weights)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; the folder of the audited model's files is wanted.")
    findings, home = [], folder.resolve()
    for subject in statement.subject:
        file = folder / subject.name
        if not file.resolve().is_relative_to(home):
            findings.append(
                Finding("tampered", subject.name, "it is a link that leaves the folder; it was not read")
            )
        elif looked_at(file) is None:
            findings.append(Finding("tampered", subject.name, "the file is missing"))
        elif file_hash(regular(file)) != subject.digest.sha256:
            findings.append(Finding("tampered", subject.name, "its bytes are not those that were audited"))
    known = {subject.name for subject in statement.subject}
    findings += [
        Finding("unchecked", name, "it is in the folder, and no subject of this statement")
        for name in sorted(files_in(folder).keys() - known)[:20]
    ]
    return findings


def _page(path: Path, statement: Statement, envelope: Mapping[str, Any]) -> list[Finding]:
    """Is the page what this statement looks like? It is people's reading, and signed by nobody."""
    from vestige import __version__

    if statement.predicate.software.get("vestige") != __version__:
        what = "its text was written by another version, and not compared with the statement"
        return [Finding("unchecked", path.name, what)]
    if read_text(path, MOST_BYTES) != page(statement, envelope).html():
        return [Finding("tampered", path.name, "its text is not what the signed statement says")]
    return []


def _salt_of(salt: Path | str | None, path: Path, signals: Path) -> Path:
    places = (
        [as_path(salt)] if salt is not None else [path.with_name(disclosure.FILE), signals / disclosure.FILE]
    )
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        wanted = f"{disclosure.FILE}, which holds the salt of their digests"
        raise InputError(
            f"To compare signals takes {wanted}; it lies neither beside {path} nor in {signals}."
        )
    return file
