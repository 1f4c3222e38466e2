"""The chain: each event holds the SHA-256 of the one before it.

    digest = SHA-256(RFC 8785 JSON of {about, actor, kind, payload, previous, sequence, time})

so that anybody can check an exported ledger with a JSON library and a hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from vestige.errors import InputError, told
from vestige.store import plain

FIRST = "0" * 64
"""What stands before the first event."""
SKEW = timedelta(seconds=5)
"""Clocks of machines that write to one ledger may differ by this much unsaid."""
CLOCK = "ledger.clock"


@dataclass(frozen=True)
class Event:
    """What happened.

    Attributes
    ----------
    sequence : int
        1, 2, ... without gaps.
    time : str
        UTC, as the clock said: 2026-11-29T23:50:00.123456Z.
    actor : str
        Who did it: a role, no person's name.
    kind : str
        Such as "request.received".
    about : str
        The request or model version, or "".
    payload : str
        Canonical JSON. No personal data: keyed pseudonyms and digests.
    previous, digest : str
        SHA-256 of the event before, and of this one, as hex.
    """

    sequence: int
    time: str
    actor: str
    kind: str
    about: str
    payload: str
    previous: str
    digest: str

    @property
    def body(self) -> dict[str, Any]:
        """The payload, read."""
        return dict(json.loads(self.payload))

    def record(self) -> dict[str, Any]:
        """Return the event as it is exported: what is hashed, and the digest."""
        return {**vars(self), "payload": self.body}

    def expected(self) -> str:
        """Return the digest that its content has."""
        return digest_of(
            self.sequence, self.time, self.actor, self.kind, self.about, self.payload, self.previous
        )


def canonical(value: Any) -> str:
    """Return the canonical JSON of a value (RFC 8785). Raises `InputError` for what has none."""
    try:
        return rfc8785.dumps(plain(value)).decode()
    except (ValueError, TypeError) as error:
        raise InputError(f"What a ledger records must be plain JSON: {told(error)}.") from None


def digest_of(
    sequence: int, time: str, actor: str, kind: str, about: str, payload: str, previous: str
) -> str:
    """Return the SHA-256 of an event; its payload is canonical already."""
    actor, kind, about, previous, time = map(canonical, (actor, kind, about, previous, time))
    text = (
        f'{{"about":{about},"actor":{actor},"kind":{kind},"payload":{payload},"previous":{previous},'
        f'"sequence":{sequence},"time":{time}}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def following(last: Event | None, time: str, actor: str, kind: str, about: str, body: Any) -> Event:
    """Return the event after `last`."""
    sequence, previous = (1, FIRST) if last is None else (last.sequence + 1, last.digest)
    payload = canonical(body)
    digest = digest_of(sequence, time, actor, kind, about, payload, previous)
    return Event(sequence, time, actor, kind, about, payload, previous, digest)


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def written(time: datetime) -> str:
    """Return a time as events hold it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def behind(last: str, time: str) -> timedelta:
    """Return by how much a clock is behind the last event; negative where it is not."""
    return datetime.fromisoformat(last) - datetime.fromisoformat(time)


def first_fault(events: Iterable[Event]) -> Iterator[tuple[Event, str]]:
    """Go through a chain; give each event with what is wrong with it, "" where nothing is.

    After a fault the chain goes on from what is there, so that a caller may stop at the first.
    """
    last: Event | None = None
    for event in events:
        yield event, _fault(last, event)
        last = event


def _fault(last: Event | None, event: Event) -> str:
    wanted = 1 if last is None else last.sequence + 1
    if event.sequence != wanted:
        return f"event {wanted} is missing; after {wanted - 1} comes {event.sequence}"
    name = f"event {event.sequence} ({event.kind})"
    if event.previous != (FIRST if last is None else last.digest):
        return f"{name} does not follow event {event.sequence - 1}: one of them was changed or put in another's place"
    if event.digest != event.expected():
        return f"{name} was changed: its content does not have its digest"
    if last is not None and event.kind != CLOCK and event.time < last.time:
        return f"{name} is earlier than the event before it, and no event says that the clock went back"
    return ""
