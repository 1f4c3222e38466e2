"""`certify`: from an audit to one signed, self-contained statement, and its page for people."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from vestige.config import validated
from vestige.errors import InputError
from vestige.evaluation import Audit
from vestige.evaluation.result import MeasureRun
from vestige.evaluation.verdict import Verdict
from vestige.evidence import disclosure
from vestige.evidence.envelope import add_signature, seal
from vestige.evidence.page import page
from vestige.evidence.signers import signer_of
from vestige.evidence.statement import OUTPUTS, PREDICATE_TYPE, STATEMENT_TYPE, Statement, carried, inside
from vestige.files import as_path, regular
from vestige.report import write
from vestige.store import array_hash, file_hash, files_in, folder_at, plain, read_record, write_json

FOLDER, FILE, PAGE = "evidence", "evidence.json", "evidence.html"
DAYS = 365
"""Days that a statement is valid where nobody says how long."""
SEEN = 0.8
"""Probability from which on an audit would have seen an influence."""
SOFTWARE = ("numpy", "scipy", "scikit-learn", "pandas")
GAMED = (
    "This is a measurement, not a proof: who holds the data and controls the training can build a model that passes an "
    "audit of its outputs."
)
NO_WEIGHTS = (
    "No weights were at hand: the subject is the array of outputs that was audited, whichever model gave it."
)


def certify(
    audit: Audit | Path | str, out: Path | str | None = None, *, key: Any, passphrase: str | None = None,
    public: Path | str | None = None, weights: Path | str | Iterable[Path | str] | None = None,
    request: Mapping[str, Any] | None = None,
    scope: Mapping[str, Any] | None = None, action: Mapping[str, Any] | None = None,
    assurance: str = "self-attested", issued: datetime | None = None, valid_until: datetime | None = None,
    predicate_type: str = PREDICATE_TYPE, limits: Iterable[str] = (),
) -> Path:  # fmt: skip
    """Sign what an audit says, with what it was done for: `evidence.json`, `evidence.html` and `disclosure.json`.

    Parameters
    ----------
    audit : Audit or path
        An audit, or the folder of one.
    out : path, optional
        Folder of the three files. Default: `evidence` in the audit's folder.
    key : path, str or signer
        Private key, as `vestige evidence key` makes it; or a signer of securesystemslib, as an object or by its URI,
        for a key that stays in a hardware module or a key service.
    passphrase : str, optional
        Of the key; default: what VESTIGE_PASSPHRASE says.
    public : path, optional
        The file of the public key, where `key` is a URI.
    weights : path or several, optional
        The files of the audited model, or their folder. Each is a subject of the statement, with its SHA-256. Without
        them the subject is the array of outputs.
    request : mapping, optional
        "pseudonym", never a name; "received" and "due", dates with a time zone.
    scope : mapping, optional
        "line", "versions" (each with "name", "digest", "saw"), "records" (how many) and "known_by", in words.
    action : mapping, optional
        "method", "options", "seed", "cost" (numbers by their unit) and "recipe" (its SHA-256).
    assurance : "self-attested", "reproduced" or "third-party"
    issued, valid_until : datetime, optional
        With a time zone. Default: now, and a year later.
    predicate_type : str
        Name of the predicate, a URI.
    limits : iterable of str
        What this statement cannot say, besides what the audit itself says of that.

    Returns
    -------
    Path
        `evidence.json`. `disclosure.json` holds the secret salt: keep it, and give it to whoever shall recompute.

    Raises
    ------
    InputError
        Where the key cannot be used, a fact does not fit the schema, or a file is missing.
    """
    if not isinstance(audit, Audit):
        folder = as_path(audit)
        audit, out = Audit.load(folder), folder / FOLDER if out is None else out
    if out is None:
        raise InputError("An audit in memory has no folder of its own; say with out where the evidence goes.")
    own, salt = signer_of(key, passphrase, public), disclosure.new_salt()
    issued = (issued or datetime.now(UTC)).replace(microsecond=0)
    subject = _subject(weights, audit)
    record = {
        "_type": STATEMENT_TYPE, "predicateType": predicate_type, "subject": subject,
        "predicate": {
            "request": dict(request or {}), "scope": dict(scope or {}), "action": dict(action or {}),
            "audit": _audited(audit, salt),
            "limits": [*audit.limits, *([] if weights else [NO_WEIGHTS]), *limits, GAMED],
            "issued": issued, "valid_until": valid_until or issued + timedelta(days=DAYS),
            "assurance": assurance, "software": software(),
        },
    }  # fmt: skip
    names = set(map(str, audit.signals.names))
    statement = validated(Statement, _without_ids(plain(record), names), "evidence")
    folder = folder_at(out)
    disclosure.write_salt(folder, salt)
    return _write(folder / FILE, seal(statement.record(), own))


def sign(
    path: Path | str,
    *,
    key: Any,
    passphrase: str | None = None,
    public: Path | str | None = None,
) -> Path:
    """Add a signature to evidence, and write its page again. Raises `InputError` where this key has signed it.

    It signs the bytes as they are: verify them first.
    """
    path = as_path(path)
    return _write(path, add_signature(read_record(path), signer_of(key, passphrase, public)))


def prove(audit: Audit | Path | str, record: str, salt: Path | str | None = None) -> dict[str, Any]:
    """Return the proof that a forget record has its answer in the signed statement; it discloses no other record.

    Parameters
    ----------
    audit : Audit or path
        The audit that was signed, or its folder.
    record : str
        Id of the record.
    salt : path, optional
        `disclosure.json`. Default: in the folder `evidence` of the audit.
    """
    if not isinstance(audit, Audit):
        folder = as_path(audit)
        audit, salt = Audit.load(folder), salt or folder / FOLDER / disclosure.FILE
    if salt is None:
        raise InputError(
            f"A proof takes {disclosure.FILE}, which was written beside the evidence; name it with salt."
        )
    return disclosure.prove(disclosure.answers(audit), disclosure.read_salt(salt), record)


def _write(path: Path, envelope: Mapping[str, Any]) -> Path:
    """Write the page of what was signed, and the envelope."""
    write(path.with_name(PAGE), page(carried(envelope, str(path)), envelope))
    write_json(path, envelope)
    return path


def software() -> dict[str, str]:
    """Return the versions of what measures."""
    import vestige

    versions = {name: metadata.version(name) for name in SOFTWARE}
    return {"vestige": vestige.__version__, "python": platform.python_version(), **versions}


def _subject(weights: Path | str | Iterable[Path | str] | None, audit: Audit) -> list[dict[str, Any]]:
    if weights is None:
        return [_entry(OUTPUTS, array_hash(audit.signals.unlearned))]
    entries = []
    for place in map(as_path, [weights] if isinstance(weights, (str, Path)) else weights):
        files = files_in(place) if place.is_dir() else {place.name: place}
        entries += [_entry(inside(name), file_hash(regular(file))) for name, file in files.items()]
    if not entries:
        raise InputError("weights names no file; the files of the audited model are wanted.")
    return entries


def _entry(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}


def _audited(audit: Audit, salt: bytes) -> dict[str, Any]:
    roles, counts = np.unique(audit.signals.roles, return_counts=True)
    return {
        "name": audit.name,
        "seed": audit.seed,
        "roles": dict(zip(roles.tolist(), counts.tolist(), strict=True)),
        "classes": audit.signals.classes,
        "shadows": audit.signals.shadows,
        "verdict": asdict(audit.verdict),
        "sharpness": sharpness(audit.verdict),
        "measures": [_measured(audit, run) for run in audit.measures],
        "controls": [asdict(control) for control in audit.controls],
        "negative_results": negative_results(audit),
        "records": disclosure.summed(disclosure.answers(audit), salt).model_dump(),
        "arrays": disclosure.commitments(audit, salt),
    }


def sharpness(verdict: Verdict) -> dict[str, Any]:
    """Return the smallest influence in every record that would have been seen."""
    seen = [
        p.influence
        for p in verdict.power
        if p.records == verdict.n and p.influence < 1 and p.probability >= SEEN
    ]
    return {"influence": min(seen, default=None), "probability": SEEN}


def negative_results(audit: Audit) -> list[dict[str, str]]:
    """Return what could not be measured or checked, with its reason."""
    measures = [(f"measure {run.label}", run.reason) for run in audit.measures if run.status == "failed"]
    checks = [(f"control “{c.name}”", c.reason) for c in audit.controls if c.passed is None]
    return [{"what": what, "reason": reason or "no reason was given"} for what, reason in measures + checks]


def _measured(audit: Audit, run: MeasureRun) -> dict[str, Any]:
    record = {name: value for name, value in asdict(run).items() if name != "seconds"}
    return record | {"scores": disclosure.summary(audit, run.label) if run.status == "scored" else None}


QUOTED = re.compile(r"'([^']+)'")


def _without_ids(value: Any, names: set[str]) -> Any:
    """Return the record with every id that a sentence quotes left out: a reason may name the first record it met."""
    if isinstance(value, dict):
        return {key: _without_ids(part, names) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_ids(part, names) for part in value]
    if isinstance(value, str):
        return QUOTED.sub(lambda found: "a record" if found[1] in names else found[0], value)
    return value
