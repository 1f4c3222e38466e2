"""What the statement commits to without saying it: arrays, and the answer for each record.

Every digest is made with one secret salt of 32 bytes, which stands in `disclosure.json`. Whoever has it, and the
signals, can recompute everything; whoever has it not learns nothing about a record from the statement. To show one
record's answer to somebody, a proof discloses that record alone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import ArtefactError, InputError
from vestige.evaluation import Audit, Retained
from vestige.evaluation.retained import COLUMNS
from vestige.evaluation.verdict import RECORD_OUTCOMES
from vestige.evidence import merkle
from vestige.evidence.envelope import canonical
from vestige.evidence.statement import Records
from vestige.files import as_path
from vestige.signals import Signals
from vestige.signals.checks import ATTACHED
from vestige.signals.files import ARRAYS, ROWS
from vestige.store import array_hash, folder_at, plain, read_record, write_json

FILE = "disclosure.json"
VERDICTS, RETAINED = "verdicts", "retained/"
EFFECTS = f"{RETAINED}effects"
HEX = re.compile(r"[0-9a-f]{64}")


def new_salt() -> bytes:
    """Return a secret salt."""
    return secrets.token_bytes(32)


def write_salt(folder: Path, salt: bytes) -> Path:
    """Write the salt to a file that its owner alone may read."""
    path = folder_at(folder) / FILE
    write_json(path, {"salt": salt.hex()})
    os.chmod(path, 0o600)
    return path


def read_salt(path: Path | str) -> bytes:
    """Read the salt. Raises `ArtefactError` where the file is none."""
    path = as_path(path)
    salt = read_record(path).get("salt")
    if not isinstance(salt, str) or not HEX.fullmatch(salt):
        raise ArtefactError(f"{path}: it holds no salt of 32 bytes as hex; was it edited?")
    return bytes.fromhex(salt)


def commitments(audit: Audit, salt: bytes) -> dict[str, str]:
    """Return the salted digest of every array of the signals, of every measure's scores, and of the answers.

    And of what the deletion did to retained records: each column of its table, and its counts.
    """
    return {name: _salted(salt, name, array_hash(_plain(array))) for name, array in _arrays(audit)}


def of_signals(signals: Signals, salt: bytes) -> dict[str, str]:
    """Return the salted digests of the signals' arrays alone."""
    return {name: _salted(salt, name, array_hash(_plain(array))) for name, array in _fields(signals, "")}


def _arrays(audit: Audit) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from _fields(audit.signals, "")
    for run in audit.measures:
        if run.status == "scored":
            yield f"scores/{run.label}", scores_of(audit, run.label)
    yield VERDICTS, np.array(list(answers(audit).values()), object)
    if audit.retained is not None:
        yield from ((f"{RETAINED}{name}", values) for name, values in columns(audit.retained).items())
        yield EFFECTS, np.array([canonical(plain(audit.retained.record())).decode()], object)


def _fields(signals: Signals, prefix: str) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in (*ARRAYS, *ROWS):
        if getattr(signals, name, None) is not None:
            yield f"{prefix}{name}", getattr(signals, name)
    for name in ATTACHED:
        if getattr(signals, name) is not None:
            yield from _fields(getattr(signals, name), f"{prefix}{name}/")


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the form that is hashed: text without its width, one bit pattern of what is missing."""
    if array.dtype.kind in "UO":
        return array.astype(object)
    return (
        np.where(np.isnan(array), np.array(np.nan, array.dtype), array) if array.dtype.kind == "f" else array
    )


def _salted(salt: bytes, name: str, digest: str) -> str:
    return hmac.new(salt, f"{name}\0{digest}".encode(), hashlib.sha256).hexdigest()


def scores_of(audit: Audit, label: str) -> NDArray[np.float64]:
    """Return [N] the scores of one measure, in the order of the signals."""
    return audit.scores.loc[audit.scores["measure"] == label, "score"].to_numpy(np.float64)


def columns(retained: Retained) -> dict[str, NDArray[Any]]:
    """Return the columns of the table of retained records, as they are hashed and compared."""
    kinds: dict[str, type] = {"id": str, "exposed": bool, "damaged": bool}
    return {name: retained.table[name].to_numpy(kinds.get(name, np.float64)) for name in COLUMNS}


def answers(audit: Audit) -> dict[str, str]:
    """Return the answer for each forget record by its id."""
    rows = audit.scores[(audit.scores["measure"] == "trace") & (audit.scores["role"] == "forget")]
    if len(rows):
        return dict(zip(rows["id"].astype(str), rows["verdict"].astype(str), strict=True))
    return dict.fromkeys(map(str, audit.signals.names[audit.signals.roles == "forget"]), "undecided")


def summary(audit: Audit, label: str) -> dict[str, Any]:
    """Return count, mean, deviation and ends of a measure's scores."""
    values = scores_of(audit, label)
    known = values[np.isfinite(values)]
    if not len(known):
        return {"count": 0, "mean": None, "deviation": None, "least": None, "most": None}
    figures = {"mean": known.mean(), "deviation": known.std(), "least": known.min(), "most": known.max()}
    return {"count": len(known), **{name: float(value) for name, value in figures.items()}}


# the tree of answers


def tree(answers: Mapping[str, str], salt: bytes) -> list[bytes]:
    """Return the leaves of the tree in their order, which is that of their hashes and says nothing."""
    return sorted(_leaf(name, verdict, salt) for name, verdict in answers.items())


def summed(answers: Mapping[str, str], salt: bytes) -> Records:
    """Return root and size of the tree."""
    return Records(root=merkle.root(tree(answers, salt)).hex(), size=len(answers))


def prove(answers: Mapping[str, str], salt: bytes, name: str) -> dict[str, Any]:
    """Return the proof that this record has this answer: it discloses no other record.

    Raises `InputError` where there is no such record.
    """
    if name not in answers:
        raise InputError(f"There is no forget record {name!r} in this audit.")
    leaves = tree(answers, salt)
    place = leaves.index(_leaf(name, answers[name], salt))
    path = [node.hex() for node in merkle.inclusion(leaves, place)]
    own = _salted(salt, "record", name)
    return {
        "record": name,
        "verdict": answers[name],
        "salt": own,
        "index": place,
        "size": len(leaves),
        "path": path,
    }


def proves(proof: Mapping[str, Any], records: Records) -> str:
    """Return what is wrong with a proof against the signed root; empty where it holds."""
    own = {name: proof.get(name) for name in ("record", "verdict", "salt")}
    path = proof.get("path")
    if not all(isinstance(value, str) for value in own.values()) or own["verdict"] not in RECORD_OUTCOMES:
        return "record, verdict and salt are wanted as text, the verdict one of " + ", ".join(RECORD_OUTCOMES)
    if not isinstance(path, list) or not all(isinstance(node, str) and HEX.fullmatch(node) for node in path):
        return "path is no list of hashes"
    index, size = proof.get("index"), proof.get("size")
    if type(index) is not int or type(size) is not int or size != records.size:
        return f"index and size are wanted as whole numbers, and the size of the tree is {records.size}"
    nodes = [bytes.fromhex(node) for node in path]
    leaf = merkle.leaf_hash(canonical(own))
    if not merkle.is_included(leaf, index, size, nodes, bytes.fromhex(records.root)):
        return f"the record {own['record']!r} with the answer {own['verdict']!r} is not in the signed tree"
    return ""


def _leaf(name: str, verdict: str, salt: bytes) -> bytes:
    return merkle.leaf_hash(
        canonical({"record": name, "salt": _salted(salt, "record", name), "verdict": verdict})
    )
