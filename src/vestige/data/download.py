"""Downloads: whole, checked and kept, or not at all.

A file with a published MD5 must have it. For every file the SHA-256 of the first download is recorded beside it
(trust on first use): it is checked whenever the file is used, and a later download must have the same.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from vestige.data.registry import Download
from vestige.errors import ArtefactError, InputError
from vestige.store import cache_folder, file_hash, published, read_json, sidecar, write_json


def fetch(name: str, downloads: tuple[Download, ...]) -> Path:
    """Return the folder with every file of a data set, downloading what is not there yet.

    Raises `InputError` where a home cannot be reached or a file is not what its digest says, `ArtefactError`
    where a kept file has changed.
    """
    folder = cache_folder() / name
    for wanted in downloads:
        path = folder / wanted.file
        recorded = _recorded(path)
        if recorded is None or not path.is_file():
            _download(wanted, path, recorded)
        elif file_hash(path) != recorded:
            raise ArtefactError(f"{path} was changed since it was downloaded; delete it to fetch it again.")
    return folder


def trusted(name: str, downloads: tuple[Download, ...]) -> tuple[str, ...]:
    """Return a sentence for each kept file that nothing but its first download vouches for: no digest is published."""
    notes = []
    for wanted in downloads:
        path = cache_folder() / name / wanted.file
        if wanted.digest is None and sidecar(path).is_file():
            way = "over plain http " if wanted.url.startswith("http://") else ""
            notes.append(
                f"{wanted.file} was downloaded {way}from {wanted.url} and has no published digest: it is trusted on "
                f"first use, SHA-256 {_recorded(path)}"
            )
    return tuple(notes)


def _recorded(path: Path) -> str | None:
    """Return the SHA-256 of the first download of `path`, or None before it."""
    if not sidecar(path).is_file():
        return None
    record = read_json(sidecar(path))
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        raise ArtefactError(f"{sidecar(path)} holds no SHA-256; delete it to fetch {path.name} again.")
    return str(record["sha256"])


def _download(wanted: Download, path: Path, recorded: str | None) -> None:
    with published(path) as temporary:
        _receive(wanted.url, temporary)
        with temporary.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        if wanted.digest is not None and md5 != wanted.digest:
            raise InputError(
                f"{wanted.url}: MD5 {md5} arrived, {wanted.digest} is published; it was not kept."
            )
        digest = file_hash(temporary)
        if recorded is not None and digest != recorded:
            raise InputError(
                f"{wanted.url}: SHA-256 {digest} arrived, {recorded} was recorded at the first download; it was "
                f"not kept. Delete {sidecar(path)} to accept the new file."
            )
    write_json(sidecar(path), {"url": wanted.url, "sha256": digest})


def _receive(url: str, target: Path) -> None:
    """Write what `url` answers to `target`; raise `InputError` unless all of it arrived."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response, target.open("wb") as file:
            shutil.copyfileobj(response, file)
            length = response.headers.get("Content-Length")
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise InputError(
            f"{url} cannot be downloaded ({error}); get it elsewhere and name its folder by root= or VESTIGE_DATA."
        ) from None
    size = target.stat().st_size
    if length is not None and str(size) != length.strip():
        raise InputError(f"{url}: {size} of {length} bytes arrived; try again.")
