"""Downloads: whole, checked and kept, or not at all.

A file with a published MD5 must have it. For others the SHA-256 of the first download is recorded, and checked
from then on whenever the file is used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from vestige.data.registry import Download
from vestige.errors import ArtefactError, InputError
from vestige.store import file_hash, published, read_json, sidecar, write_json


def cache_folder() -> Path:
    """Return where downloads are kept: VESTIGE_CACHE, or ~/.cache/vestige."""
    return Path(os.environ.get("VESTIGE_CACHE") or Path.home() / ".cache" / "vestige")


def fetch(name: str, downloads: tuple[Download, ...]) -> Path:
    """Return the folder with every file of a data set, downloading what is not there yet.

    Raises `InputError` where a home cannot be reached or a file is not what its digest says.
    """
    folder = cache_folder() / name
    for wanted in downloads:
        path = folder / wanted.file
        if path.is_file() and sidecar(path).is_file():
            if file_hash(path) != read_json(sidecar(path)).get("sha256"):
                raise ArtefactError(
                    f"{path} was changed since it was downloaded; delete it to fetch it again."
                )
            continue
        _download(wanted, path)
    return folder


def _download(wanted: Download, path: Path) -> None:
    with published(path) as temporary:
        try:
            with urllib.request.urlopen(wanted.url, timeout=60) as response, temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
                length = response.headers.get("Content-Length")
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise InputError(
                f"{wanted.url} cannot be downloaded ({error}); get it elsewhere and name its folder by root= "
                "or VESTIGE_DATA."
            ) from None
        size = temporary.stat().st_size
        if length is not None and int(length) != size:
            raise InputError(f"{wanted.url}: {size} of {length} bytes arrived; try again.")
        if wanted.digest is not None:
            with temporary.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != wanted.digest:
                raise InputError(
                    f"{wanted.url}: MD5 {found} arrived, {wanted.digest} is published; it was not kept."
                )
        digest = file_hash(temporary)
    write_json(sidecar(path), {"url": wanted.url, "sha256": digest})
