"""Audits of later versions with the system itself: who is asked about what, and which models are there to ask.

The records of the requests come from the system where it still knows them. Where they are gone from its data, as they
should be, the system is a function of what was kept: `build(content)` returns the system with these records in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige.errors import InputError
from vestige.files import as_path
from vestige.ledger import vault
from vestige.ledger.keys import digests
from vestige.ledger.models import digest_of
from vestige.ledger.plans import Say
from vestige.ledger.records import Commitment, Version

if TYPE_CHECKING:
    from vestige.experiments.versions import Stored
    from vestige.ledger.ledger import Ledger

Positions = NDArray[np.int64]
QUICK = ("scaled_logit_difference", "random")
"""What is measured beside the trace that decides: little, for every pair takes an audit; the second always runs."""


class Asking:
    """What it takes to ask versions of a line about requests: the system, and where each record is in it.

    Parameters
    ----------
    ledger, line
    system
        A `System`, "file.py:name", or a function from what was kept of the records, {id: bytes}, to a `System`.
    watched
        The commitments whose records it must know.
    supplied
        The records of requests that are supplied again for each audit, by id, or a .jsonl file.
    folder
        Where outputs, shadow models and audits go: runs/monitor-churn/audits/v7/R4.
    shadows
        How many models are fitted on records that no version saw.
    seed
        Of everything random.
    settings
        Of the audits: "measures", "alpha", "tolerance", "preset".
    workers
        Processes at once.
    say
        Is told, in a line each, what begins.
    """

    def __init__(
        self, ledger: Ledger, line: str, system: Any, watched: Sequence[Commitment], *,
        supplied: Mapping[str, Any] | Path | str | None = None, folder: Path | str = "runs", shadows: int = 1,
        seed: int = 0, settings: Mapping[str, Any] | None = None, workers: int | None = None,
        say: Say = lambda text: None,
    ) -> None:  # fmt: skip
        from vestige.config import validated
        from vestige.experiments.settings import AuditConfig
        from vestige.graph import Store
        from vestige.systems.source import SystemSource

        self.ledger, self.line, self.say, self.workers = ledger, line, say, workers
        self.shadows, self.seed = shadows, seed
        self.audit = validated(AuditConfig, {"measures": QUICK, **(settings or {})}, "audit")
        self.source = SystemSource.of(system, lambda: kept(ledger, watched, supplied))
        self.store = Store(as_path(folder) / f"monitor-{line}")
        names = ledger.key.pseudonyms("record", self.source.load().records.ids.tolist())
        self.place = {name: row for row, name in enumerate(names)}
        self.names = [bytes.fromhex(name) for name in names]
        self.seen = lru_cache(maxsize=None)(self._seen)
        self.stored = lru_cache(maxsize=None)(self._stored)

    def audits(self, version: Version, commitments: Sequence[Commitment]) -> dict[str, Path]:
        """Return the folders of the audits of a version, by request: one collection for all of them.

        A request whose records are to be supplied, and were not, is absent.
        """
        from vestige.experiments.versions import AuditedRequest, audit_version

        commitments = [one for one in commitments if not self.waits(one)]
        if not commitments:
            return {}
        after = self.stored(version.id)
        if after is None:
            raise InputError(
                f"{version.place}: the weights of {version.id} are not what was registered; register them as another "
                "version."
            )
        asked = []
        for commitment in commitments:
            rows = self._rows(commitment)
            saw = [
                v for v in reversed(commitment.saw) if np.isin(rows, self.seen(v)).any()
            ]  # by its manifest
            before = next((v for v in saw if self.stored(v) is not None), None)
            seen = self.seen(before) if before else rows[:0]
            asked.append(
                AuditedRequest(commitment.request, rows, self.stored(before) if before else None, seen)
            )
        return audit_version(
            self.source, after, self.seen(version.id), asked, self._unseen(), self.store, shadows=self.shadows,
            audit=self.audit, seed=self.seed, names=lambda request: f"audits/{version.name}/{request}",
            workers=self.workers, say=self.say,
        )  # fmt: skip

    def watches(self, commitment: Commitment) -> bool:
        """Can it be asked about at all? Not where its records are gone, and nothing was kept of them."""
        state = vault.state_of(self.ledger, commitment.request)
        known = state in ("stored", "supplied") or not self._missing(commitment)
        if not known:
            self.say(
                f"{commitment.request} is not watched: its records are gone, and nothing is kept of them"
            )
        return known

    def waits(self, commitment: Commitment) -> bool:
        """Are its records to be supplied again, and were not?"""
        state = vault.state_of(self.ledger, commitment.request)
        return state == "supplied" and bool(self._missing(commitment))

    def _missing(self, commitment: Commitment) -> list[str]:
        records = self.ledger.requests.show(commitment.request).records
        return [name for name in records if name not in self.place]

    def _rows(self, commitment: Commitment) -> Positions:
        """Return where the records of a request are that any version of the line saw."""
        records, missing = self.ledger.requests.show(commitment.request).records, self._missing(commitment)
        if missing:
            raise InputError(
                f"The system does not know {len(missing):,} of the {len(records):,} records of {commitment.request}; "
                "give a function that takes what was kept of them, and returns the system with it."
            )
        rows = np.array([self.place[name] for name in records], dtype=np.int64)
        saw = np.unique(np.concatenate([self.seen(version) for version in commitment.saw]))
        return np.sort(rows[np.isin(rows, saw)])

    def _seen(self, version: str) -> Positions:
        """Return positions of the records that a version saw, as far as the system knows them."""
        members = set(self.ledger.models.read_manifest(version))
        return np.array([row for row, name in enumerate(self.names) if name in members], dtype=np.int64)

    def _unseen(self) -> Positions:
        """Return positions of the records that no version of the line saw."""
        seen = [self.seen(version.id) for version in self.ledger.models.list(self.line)]
        return np.setdiff1d(np.arange(len(self.names)), np.concatenate(seen))

    def _stored(self, version: str) -> Stored | None:
        """Return the model of a version, None where its weights are gone or were changed."""
        from vestige.experiments.versions import Stored

        known = self.ledger.models.show(version)
        place = Path(known.place)
        if not place.exists() or digest_of(digests(place)) != known.digest:
            return None
        return Stored(source=self.source, digest=known.digest, place=known.place, label=f"taking {version}")


def kept(
    ledger: Ledger, commitments: Sequence[Commitment], supplied: Mapping[str, Any] | Path | str | None
) -> dict[str, bytes]:
    """Return what is there of the records of all these requests, by id.

    A request of which nothing was kept, whose escrow was destroyed, or whose records are to be supplied and are not, is
    left out. Raises `InputError` where supplied records are others.
    """
    handed = {} if supplied is None else vault.read_content(supplied)
    names = dict(zip(ledger.key.pseudonyms("record", handed), handed, strict=True))
    content: dict[str, bytes] = {}
    for commitment in commitments:
        request, state = ledger.requests.show(commitment.request), vault.state_of(ledger, commitment.request)
        own = {names[record]: handed[names[record]] for record in request.records if record in names}
        if state == "stored" or (state == "supplied" and own):
            content |= ledger.requests.content(request.id, own)
    return content
