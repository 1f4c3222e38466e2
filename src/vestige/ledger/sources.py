"""Where versions come from: a folder of versions, git tags, an MLflow registry. A poll registers what is new.

A source lists what is there, cheaply; the weights of what is new are fetched. Beside the weights, in `manifest.txt`,
stand the ids of the records that the version saw, one a line; a version without it waits, and is said.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vestige.errors import InputError, need, told
from vestige.files import as_path, read_ids
from vestige.ledger.records import NAME, Version
from vestige.store import published

if TYPE_CHECKING:
    from vestige.ledger.ledger import Ledger

MANIFEST = "manifest.txt"
"""The file of a version's folder that names the records that it saw."""


@dataclass(frozen=True)
class Offer:
    """A version that a source has.

    Attributes
    ----------
    line, name : str
        Of it.
    fetch : Callable[[], Path]
        Returns the folder or file of its weights.
    parent : str
        Name of the version that it was made from; "" where the source does not say.
    live : bool or None
        Is it in use? None where the source does not say.
    """

    line: str
    name: str
    fetch: Callable[[], Path]
    parent: str = ""
    live: bool | None = None

    @property
    def id(self) -> str:
        return f"{self.line}@{self.name}"


class Source(Protocol):
    """A place that has versions."""

    def offers(self) -> Iterator[Offer]: ...


ManifestOf = Callable[[Offer, Path], Iterable[str] | Path]


@dataclass(frozen=True)
class Polled:
    """What a poll did.

    Attributes
    ----------
    added : tuple of Version
        What is in the ledger from now on.
    live, retired : tuple of str
        Ids of versions that are in use now, or no more, by what the source says.
    waiting : tuple of (str, str)
        Versions that were not registered, and why.
    """

    added: tuple[Version, ...]
    live: tuple[str, ...]
    retired: tuple[str, ...]
    waiting: tuple[tuple[str, str], ...]


def poll(ledger: Ledger, source: Source, *, manifest: ManifestOf | None = None, system: Any = None) -> Polled:
    """Register the versions of a source that the ledger does not know, and follow which of them are in use.

    Parameters
    ----------
    ledger
    source
        `Folder`, `Tags`, `Registry`, or anything with `offers`.
    manifest : function, optional
        Of an offer and its folder: which records the version saw, as ids or a file. Default: `manifest.txt` in the
        folder.
    system
        In its place, a `System` or "file.py:name": each new version saw what its original saw.

    Returns
    -------
    Polled
        Run again, it adds nothing: a version is known by its line and name.
    """
    known = {version.id: version for version in ledger.models.list()}
    added, waiting, live, retired = [], [], [], []
    for offer in source.offers():
        if offer.id not in known:
            try:
                place = offer.fetch()
                seen = None if system is not None else (manifest or listed)(offer, place)
                parent = f"{offer.line}@{offer.parent}" if offer.parent else ""
                version = ledger.models.add(
                    offer.line,
                    offer.name,
                    place,
                    system=system,
                    manifest=seen,
                    parent=parent if parent in known else "",
                )
            except InputError as error:
                waiting.append((offer.id, str(error)))
                continue
            known[version.id] = version
            added.append(version)
        if offer.live is True and known[offer.id].state != "live":
            ledger.models.live(offer.id)
            live.append(offer.id)
        elif offer.live is False and known[offer.id].state == "live":
            retired.append(offer.id)
    for version_id in retired:  # once the new ones are live, so that no line is without a version in between
        ledger.models.retire(version_id)
    return Polled(tuple(added), tuple(live), tuple(retired), tuple(waiting))


def listed(offer: Offer, place: Path) -> list[str]:
    """Return the ids that `manifest.txt` in a version's folder names. Raises `InputError` where it is missing."""
    file = place / MANIFEST if place.is_dir() else place.with_name(f"{place.name}.{MANIFEST}")
    if not file.is_file():
        raise InputError(f"{file} is missing: the ids of the records that {offer.id} saw, one a line.")
    return read_ids(file)


@dataclass(frozen=True)
class Folder:
    """A folder of versions: each folder or file in it is one, and what begins with a dot is none.

    Their order is that of their names, with numbers as numbers: v2 before v10.
    """

    place: Path | str
    line: str

    def offers(self) -> Iterator[Offer]:
        home = as_path(self.place)
        if not home.is_dir():
            raise InputError(f"{home} is no folder; one with a folder for each version is wanted.")
        names = [
            path
            for path in home.iterdir()
            if not path.name.startswith(".") and not path.name.endswith(MANIFEST)
        ]
        for path in sorted(names, key=lambda path: _numbered(path.name)):
            yield Offer(self.line, path.name, partial(Path, path))


@dataclass(frozen=True)
class Tags:
    """Git tags named as versions, "churn@v1": the weights are a path of the repository, as it is at the tag.

    Attributes
    ----------
    repository : Path or str
        Of git.
    path : str
        Of their folder in it, where {line} and {name} may stand.
    out : Path or str
        Folder that they are written to, as out/churn/v1.
    """

    repository: Path | str = "."
    path: str = "models/{line}"
    out: Path | str = "versions"

    def offers(self) -> Iterator[Offer]:
        for tag in sorted(tags(self.repository), key=_numbered):
            line, _, name = tag.partition("@")
            if NAME.fullmatch(line) and NAME.fullmatch(name):
                yield Offer(line, name, partial(self._written, line, name))

    def _written(self, line: str, name: str) -> Path:
        folder = as_path(self.out) / line / name
        if folder.exists():
            return folder
        path = self.path.format(line=line, name=name).strip("/")
        body = _git(self.repository, "archive", "--format=tar", f"refs/tags/{line}@{name}:{path}")
        with published(folder) as part:
            part.mkdir()
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                archive.extractall(part, filter="data")
        return folder


def tags(repository: Path | str) -> list[str]:
    """Return the git tags of a repository that are named like versions."""
    return _git(repository, "tag", "--list", "*@*").decode().split()


def _git(repository: Path | str, *arguments: str) -> bytes:
    try:
        return subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode(errors="replace").strip()
    except OSError as error:
        why = told(error)
    raise InputError(f"{repository}: git {arguments[0]} says: {why}.")


@dataclass(frozen=True)
class Registry:
    """A model registry of MLflow: `pip install 'vestige[mlflow]'`.

    Version 3 of the registered model "churn" is churn@v3. Its parent is what its tag "parent" says. Its files are
    fetched once; where `manifest.txt` is not among them, it is looked for in the artifacts of its run.

    Attributes
    ----------
    uri : str or None
        Of the registry, such as "sqlite:///mlflow.db" or "https://mlflow.example.org"; None: as MLflow is
        set.
    lines : Sequence[str] or None
        Registered models; None: all.
    live : str or None
        Alias of the version that is in use, such as "champion"; None: the registry is not asked. Where no
        version of a model has it, which are in use stays as it is.
    out : Path or str
        Folder that the files are written to, as out/churn/v3.
    """

    uri: str | None = None
    lines: Sequence[str] | None = None
    live: str | None = None
    out: Path | str = "versions"
    page: int = field(default=200, repr=False)

    def offers(self) -> Iterator[Offer]:
        client = self._client()
        for line in self.lines if self.lines is not None else self._every(client):
            if not NAME.fullmatch(line):
                raise InputError(
                    f"The registered model {line!r} cannot be a line: letters, digits, '.', '_' and '-' are wanted."
                )
            with _told(self.uri):
                aliases = client.get_registered_model(line).aliases
                versions = self._pages(client.search_model_versions, f"name='{line}'")
            current = aliases.get(self.live) if self.live is not None else None
            for one in sorted(versions, key=lambda one: int(one.version)):
                if one.status != "READY":
                    continue
                live = None if current is None else str(one.version) == str(current)
                yield Offer(
                    line, f"v{one.version}", partial(self._fetched, client, one),
                    parent=str((one.tags or {}).get("parent", "")), live=live,
                )  # fmt: skip

    def _client(self) -> Any:
        mlflow = need("mlflow", "mlflow", "An MLflow registry")
        need("sqlparse", "mlflow", "An MLflow registry in a database")
        with _told(self.uri):
            return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def _every(self, client: Any) -> list[str]:
        with _told(self.uri):
            return sorted(model.name for model in self._pages(client.search_registered_models, ""))

    def _pages(self, search: Callable[..., Any], wanted: str) -> list[Any]:
        rows, token = [], None
        while True:
            part = search(wanted, max_results=self.page, page_token=token)
            rows += list(part)
            token = part.token
            if not token:
                return rows

    def _fetched(self, client: Any, one: Any) -> Path:
        download = need("mlflow.artifacts", "mlflow", "An MLflow registry").download_artifacts
        folder: Path = as_path(self.out) / str(one.name) / f"v{one.version}"
        if folder.exists():
            return folder
        with _told(self.uri), published(folder) as part:
            place = client.get_model_version_download_uri(one.name, str(one.version))
            part.mkdir()
            written = Path(download(artifact_uri=place, dst_path=str(part / "files"), tracking_uri=self.uri))
            files = [written] if written.is_file() else list(written.iterdir())
            for path in files:
                shutil.move(path, part / path.name)
            shutil.rmtree(part / "files", ignore_errors=True)
            if not (part / MANIFEST).exists() and one.run_id:
                names = [artifact.path for artifact in client.list_artifacts(one.run_id)]
                if MANIFEST in names:
                    client.download_artifacts(one.run_id, MANIFEST, str(part))
        return folder


@contextlib.contextmanager
def _told(uri: str | None) -> Iterator[None]:
    """Raise what MLflow raises as `InputError` that names the registry, without its password."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        place = re.sub(r"//[^/@]*@", "//", uri or "the registry that MLflow is set to")
        raise InputError(f"{place}: {type(error).__name__}: {told(error)}.") from error


def _numbered(name: str) -> list[tuple[int, str, int]]:
    """Return what names are sorted by: parts of text as text, digits as numbers."""
    parts = re.findall(r"\d+|\D+", name)
    return [(1, "", int(part)) if part.isdecimal() else (0, part, 0) for part in parts]
