"""Files that are whole or absent: hashing, atomic publication, and steps that are skipped when done.

A step's file is written under a temporary name, hashed, renamed, and only then recorded in a sidecar `<name>.json`
that holds the key of the step that made it and the hash of the bytes. A reader trusts a file only if its sidecar is
there and the hash agrees: a file that a power cut left half on the disk is made again. So no step waits for the disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from vestige.errors import ArtefactError, InputError, told
from vestige.files import RECORD_BYTES, as_path, parse_json, read_text

FULL = "the disk is full; free some space and run again, finished steps are kept"
HALF_WRITTEN = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.part(\.old)?")
"""How `published` names what is not finished: for the file, the machine and the process that writes it."""


def disk_full(error: BaseException) -> bool:
    """Is it a full disk? Safetensors says so in its text alone."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)


def fault_of(error: OSError) -> str:
    """Say which file is at fault and why. An error without a file is a fault of vestige, and raised again."""
    file = error.filename2 or error.filename
    if disk_full(error):
        return f"{f'{file}: ' if file else ''}the disk is full; free some space and run again."
    if file is None:
        raise error
    return f"{file}: {error.strerror or error}"


@contextlib.contextmanager
def room_in(place: Path) -> Iterator[None]:
    """Raise a full disk as `InputError` that names the file or folder that is written."""
    try:
        yield
    except Exception as error:
        if not disk_full(error):
            raise
        raise InputError(f"{place}: {FULL}.") from None


def cache_folder() -> Path:
    """Return where downloads and copies of shared results are kept: VESTIGE_CACHE, or ~/.cache/vestige."""
    return Path(os.environ.get("VESTIGE_CACHE") or Path.home() / ".cache" / "vestige").expanduser()


def files_in(folder: Path) -> dict[str, Path]:
    """Return every file under a folder by its path from there, such as "signals/labels.npy", in sorted order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hex; of a folder, that of the names and hashes of all its files."""
    if path.is_dir():
        files = {name: file_hash(inner) for name, inner in files_in(path).items()}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_hash(*arrays: np.ndarray) -> str:
    """Return a SHA-256 over dtype, shape and bytes of the arrays, as hex. Text arrays are allowed."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(
            array.data if array.dtype.kind not in "UO" else "\0".join(map(str, array.flat)).encode()
        )
    return digest.hexdigest()


def key_of(*parts: object) -> str:
    """Return the hash that names a step: SHA-256 of the canonical JSON of its inputs, 32 hex digits."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextlib.contextmanager
def _writable(place: Path) -> Iterator[None]:
    """Raise what the system says against writing there as `InputError`."""
    try:
        yield
    except OSError as error:
        why = FULL if disk_full(error) else f"cannot be written ({error.strerror})"
        raise InputError(f"{place}: {why}.") from None


def folder_at(path: Path | str) -> Path:
    """Return a folder to write to, made where it is missing. Raises `InputError` where there can be none."""
    path = as_path(path)
    with _writable(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def published(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; on success it becomes `path` in one step, on failure it is gone.

    A folder may be written as well; it takes the place of one that is there.

    Parameters
    ----------
    flush : bool
        Wait until the bytes are on the disk, for files that have no hash beside them.

    Raises
    ------
    InputError
        Where nothing can be written there: no path, a folder that may not be entered, a full disk, a file
        where a folder is; such a folder stays as it is.
    """
    path = as_path(path)
    if not path.name:
        raise InputError(f"{path} is a folder; the name of what is written there is missing.")
    temporary = path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.part")
    folder_at(path.parent)
    with _writable(path):
        temporary.touch()
        temporary.unlink()
    try:
        yield temporary
        if path.is_dir() and not temporary.is_dir():
            raise InputError(f"{path} is a folder, and a file is to be written; it stays as it is.")
        if flush and not temporary.is_dir():
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        _take_place(temporary, path)
    finally:
        _remove(temporary)


@lru_cache(maxsize=1)
def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def sweep(folder: Path) -> None:
    """Remove what a process of this machine left half written in a folder when it was killed."""
    for path in list(folder.rglob(".*.part*")):
        match = HALF_WRITTEN.fullmatch(path.name)
        if match and match["machine"] == _machine() and not _lives(int(match["process"])):
            _remove(path)


def is_vacant(folder: Path) -> bool:
    """Is a folder new, or empty but for what a process left half written when it was killed?"""
    return not folder.is_dir() or all(HALF_WRITTEN.fullmatch(path.name) for path in folder.iterdir())


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _take_place(temporary: Path, path: Path) -> None:
    """Give what is written its name; of a folder too, where another process may be doing the same."""
    old = temporary.with_name(f"{temporary.name}.old")
    while True:
        try:
            temporary.replace(path)
            return
        except OSError as error:
            if not temporary.is_dir() or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        with contextlib.suppress(FileNotFoundError):  # the other has taken it away just now
            path.replace(old)
            _remove(old)


def _remove(path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, flush: bool = True) -> None:
    """Write a text file atomically."""
    with published(path, flush=flush) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object, *, flush: bool = True) -> None:
    """Write JSON atomically; NaN and infinity become null, NumPy values become plain numbers."""
    write_text(path, json.dumps(plain(value), indent=2, allow_nan=False) + "\n", flush=flush)


def plain(value: Any) -> Any:
    """Return `value` as JSON allows it: NaN and infinity as None, arrays as lists, paths as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return str(value) if isinstance(value, Path) else value


def read_json(path: Path) -> Any:
    """Read JSON, or raise `ArtefactError` that names the file."""
    try:
        return parse_json(read_text(path, RECORD_BYTES))
    except InputError as error:  # missing, too large, not UTF-8
        raise ArtefactError(str(error)) from None
    except ValueError as error:
        raise ArtefactError(f"{path}: not valid JSON ({told(error)}); was it cut off or edited?") from None


def read_record(path: Path) -> dict[str, Any]:
    """Read JSON that is an object, or raise `ArtefactError` that names the file."""
    record = read_json(path)
    if not isinstance(record, dict):
        raise ArtefactError(
            f"{path}: it holds a {type(record).__name__}, a JSON object is wanted; was it edited?"
        )
    return record


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def is_done(path: Path, key: str) -> bool:
    """Is `path` there, whole, and made by the step `key`?"""
    try:
        record = read_json(sidecar(path))
        return bool(record["key"] == key and record["sha256"] == file_hash(path))
    except (ArtefactError, KeyError, TypeError, OSError):
        return False


def make_once(path: Path, key: str, make: Callable[[Path], dict[str, Any] | None]) -> dict[str, Any]:
    """Make `path`, a file or a folder, unless the step `key` has already made it; return its record.

    `make(temporary)` writes it and may return facts to keep in the record (timings, accuracies).
    """
    if is_done(path, key):
        return dict(read_json(sidecar(path)))
    sidecar(path).unlink(missing_ok=True)
    start = time.perf_counter()
    with published(path, flush=False) as temporary:
        facts = make(temporary) or {}
        digest = file_hash(temporary)
    record = {"key": key, "sha256": digest, "seconds": time.perf_counter() - start, **facts}
    write_json(sidecar(path), record, flush=False)
    return dict(plain(record))
