"""Model versions: where they are, what they were made from, and which records they saw.

Which records a version saw is kept as its training manifest: the sorted pseudonyms, 16 bytes each. So a version that
brings back what was deleted, as a retraining from an old snapshot does, is found before anything is measured.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vestige.errors import InputError
from vestige.files import as_path, read_ids
from vestige.ledger.chain import canonical
from vestige.ledger.database import Transaction
from vestige.ledger.keys import digests
from vestige.ledger.projections import Row
from vestige.ledger.records import NAME, Version
from vestige.ledger.tables import COMMITMENT, EVENT, MANIFEST, REQUEST, VERSION
from vestige.values import id_list

if TYPE_CHECKING:
    from vestige.ledger.ledger import Ledger
    from vestige.ledger.sources import Polled, Source

BYTES = 16
DONE = ("executed", "audited", "certified", "monitored", "closed")
"""States of a commitment that a version with its records breaks."""


class Manifest:
    """The records that a version saw."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    @classmethod
    def of(cls, pseudonyms: Iterable[str]) -> Manifest:
        return cls(b"".join(sorted({bytes.fromhex(name) for name in pseudonyms})))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def __len__(self) -> int:
        return len(self.body) // BYTES

    def __contains__(self, pseudonym: str) -> bool:
        wanted = bytes.fromhex(pseudonym)
        place = bisect.bisect_left(range(len(self)), wanted, key=self._at)
        return place < len(self) and self._at(place) == wanted

    def __iter__(self) -> Iterator[bytes]:
        return map(self._at, range(len(self)))

    def _at(self, place: int) -> bytes:
        return self.body[BYTES * place : BYTES * (place + 1)]

    def holds(self, pseudonyms: Iterable[str]) -> list[str]:
        """Return those of the records that are in it."""
        return [name for name in pseudonyms if name in self]

    def without(self, pseudonyms: Iterable[str]) -> Manifest:
        """Return it without some records."""
        gone = {bytes.fromhex(name) for name in pseudonyms}
        return Manifest(b"".join(part for part in self if part not in gone))


def digest_of(files: Mapping[str, str]) -> str:
    """Return the digest of a version: SHA-256 over the names and digests of its files."""
    return hashlib.sha256(canonical(dict(files)).encode()).hexdigest()


class Models:
    """The verbs on the model versions of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def add(
        self,
        line: str,
        name: str,
        place: Path | str,
        *,
        system: Any = None,
        manifest: Iterable[str] | Path | str | None = None,
        parent: str = "",
        state: str = "candidate",
    ) -> Version:
        """Register a version.

        Parameters
        ----------
        line, name
            The model, and the version of it: "churn", "v1".
        place
            Folder or file of its weights; their digests go into the chain.
        system, manifest
            Which records it saw: those that a `System` (or "file.py:name") has as `seen`; or their ids, or a file with
            one a line. One of the two is wanted.
        parent
            The id of the version that it was made from.
        state
            "candidate", or "live" where it is in use already; see `live`.

        Returns
        -------
        Version
            The same again where this version is registered already.

        Raises
        ------
        InputError
            Where another version has that name, the parent is unknown, or the weights are missing.
        """
        for what, text in (("line", line), ("name", name)):
            if not NAME.fullmatch(text):
                raise InputError(
                    f"The {what} of a version is {text!r}; letters, digits, '.', '_' and '-' are wanted."
                )
        if (system is None) == (manifest is None):
            raise InputError("Which records did the version see? Give its system, or its manifest of ids.")
        if state not in ("candidate", "live"):
            raise InputError(f"A version is added as 'candidate' or 'live', not as {state!r}.")
        body = self.manifest_of(system) if manifest is None else self._listed(manifest)
        with self.ledger.writing() as transaction:
            version = self.register(transaction, line, name, as_path(place), body, parent)
            if state == "live":
                self.live(version)
        return self.show(version)

    def register(
        self, transaction: Transaction, line: str, name: str, place: Path, manifest: Manifest, parent: str
    ) -> str:
        """Append a version that is a candidate, unless it is there already; return its id."""
        if not place.exists():
            raise InputError(f"{place}: no weights are there; a folder or a file is wanted.")
        version, place = f"{line}@{name}", place.resolve()
        files = digests(place)
        digest = digest_of(files)
        known = transaction.get("version", version)
        if known is not None:
            if (known["digest"], known["manifest"]) == (digest, manifest.digest):
                return version
            raise InputError(
                f"{version} is registered with other weights or records; give the new one another name."
            )
        if parent and transaction.get("version", parent) is None:
            raise InputError(f"There is no version {parent!r} that {version} could be made from.")
        row = {"digest": manifest.digest, "records": len(manifest), "body": manifest.body}
        transaction.upsert(MANIFEST, [row])
        facts = {
            "line": line, "name": name, "parent": parent, "state": "candidate", "place": str(place), "digest": digest,
            "files": files, "manifest": manifest.digest, "records": len(manifest),
        }  # fmt: skip
        transaction.append("version.added", version, facts)
        return version

    def manifest_of(self, system: Any) -> Manifest:
        """Return the manifest of the records that a system's original saw."""
        from vestige.systems.source import SystemSource

        known = SystemSource.of(system).load()
        return Manifest.of(self.ledger.key.pseudonyms("record", known.records.ids[known.seen].tolist()))

    def _listed(self, manifest: Iterable[str] | Path | str) -> Manifest:
        ids = read_ids(as_path(manifest)) if isinstance(manifest, (str, Path)) else manifest
        return Manifest.of(self.ledger.key.pseudonyms("record", id_list("manifest", ids).tolist()))

    def seen_by(self, versions: Iterable[str], records: Sequence[str]) -> set[str]:
        """Return those of the records that any of the versions saw."""
        return {one for version in versions for one in self.read_manifest(version).holds(records)}

    def read_manifest(self, version: str) -> Manifest:
        """Return which records a version saw."""
        query = sa.select(MANIFEST.c.body).where(MANIFEST.c.digest == self.show(version).manifest)
        with self.ledger.reading() as connection:
            return Manifest(bytes(connection.execute(query).scalar_one()))

    # reading

    def list(self, line: str | None = None, state: str | None = None) -> Sequence[Version]:
        """Return versions in the order of their coming: all, those of a line, those in a state."""
        query = sa.select(VERSION)
        query = query if line is None else query.where(VERSION.c.line == line)
        query = query if state is None else query.where(VERSION.c.state == state)
        with self.ledger.reading() as connection:
            versions = [Version.of(row) for row in connection.execute(query).mappings()]
            order = self._order(connection)
        return sorted(versions, key=lambda version: order[version.id])

    def _order(self, connection: sa.Connection) -> dict[str, int]:
        query = sa.select(EVENT.c.about, EVENT.c.sequence).where(EVENT.c.kind == "version.added")
        return {about: sequence for about, sequence in connection.execute(query)}

    def show(self, version: str) -> Version:
        """Return a version. Raises `InputError` where there is none."""
        with self.ledger.reading() as connection:
            row = connection.execute(sa.select(VERSION).where(VERSION.c.id == version)).mappings().first()
        if row is None:
            raise InputError(
                f"There is no model version {version!r} in {self.ledger.place}; such as churn@v1 is wanted."
            )
        return Version.of(row)

    def brings_back(self, version: str) -> Sequence[str]:
        """Return the requests whose records a version saw although they were deleted from its line before."""
        manifest, line = self.read_manifest(version), self.show(version).line
        with self.ledger.reading() as connection:
            rows = _commitments(connection, line, DONE)
        return [row["request"] for row in rows if manifest.holds(json.loads(row["records"]))]

    # states

    def live(self, version: str) -> Version:
        """Note that a version is in use, a retired one again after a roll-back.

        A request whose records it saw is opened again.
        """
        with self.ledger.writing() as transaction:
            if self.show(version).state != "live":
                self._go_live(transaction, version)
        return self.show(version)

    def retire(self, version: str) -> Version:
        """Note that a version is used no more; requests that waited for that go on."""
        with self.ledger.writing() as transaction:
            if self.show(version).state != "retired":
                transaction.append("version.retired", version, {})
                settle(self.ledger, transaction)
        return self.show(version)

    def _go_live(self, transaction: Transaction, version: str) -> None:
        transaction.append("version.live", version, {})
        manifest, line = self.read_manifest(version), self.show(version).line
        with self.ledger.reading() as connection:
            rows = _commitments(connection, line, (*DONE, "scoped", "re-opened"))
        for row in rows:
            bears = manifest.holds(json.loads(row["records"]))
            if bears and row["state"] in DONE:
                body = {"line": line, "version": version, "why": "manifest", "facts": {"records": len(bears)}}
                transaction.append("request.reopened", row["request"], body)
            elif bears and version not in json.loads(row["saw"]):
                saw = [*json.loads(row["saw"]), version]
                body = {"lines": {line: saw}, "records": json.loads(row["records"])}
                _keep_lines(transaction, row["request"], body)
        settle(self.ledger, transaction)

    def tags(self, repository: Path | str = ".") -> Sequence[tuple[str, str]]:
        """Return the git tags of a repository that are named like versions, "churn@v1", and are not registered."""
        from vestige.ledger.sources import tags

        known = {version.id for version in self.list()}
        return [
            (tag.partition("@")[0], tag.partition("@")[2]) for tag in tags(repository) if tag not in known
        ]

    def poll(self, source: Source, **options: Any) -> Polled:
        """Register the versions of a source that are new, and follow which are in use. See `vestige.ledger.sources`."""
        from vestige.ledger.sources import poll

        return poll(self.ledger, source, **options)


def _commitments(connection: sa.Connection, line: str, states: Sequence[str]) -> list[Row]:
    query = (
        sa.select(COMMITMENT.c.request, COMMITMENT.c.state, COMMITMENT.c.saw, REQUEST.c.records)
        .join(REQUEST, REQUEST.c.id == COMMITMENT.c.request)
        .where(COMMITMENT.c.line == line, COMMITMENT.c.state.in_(states))
        .where(REQUEST.c.state.notin_(("denied", "withdrawn", "not_found")))
        .order_by(REQUEST.c.event)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _keep_lines(transaction: Transaction, request: str, body: dict[str, Any]) -> None:
    """Scope a request again in one of its lines; the others stay as they are."""
    row = transaction.get("request", request)
    assert row is not None
    for line in json.loads(row["lines"]):
        commitment = transaction.get("commitment", request, line)
        assert commitment is not None
        body["lines"].setdefault(line, json.loads(commitment["saw"]))
    transaction.append("request.scoped", request, body)


def settle(ledger: Ledger, transaction: Transaction) -> None:
    """Note of certified requests that they are monitored, where no live version that saw their records is left.

    A request of whose records nothing was kept cannot be monitored; it stays certified and may be closed.
    """
    for request in ledger.requests.list("certified"):
        if not request.duplicate_of and not request.open and request.custody != "none":
            transaction.append("request.monitored", request.id, {})
