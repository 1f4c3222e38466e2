"""Evidence in a folder of one's own, with what a tamperer can do to it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from vestige import evidence

NOW = datetime(2026, 12, 1, tzinfo=UTC)


class Case:
    """Evidence in a folder of one's own, with what a tamperer can do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "evidence" / "evidence.json"
        self.weights, self.signals = folder / "weights", folder

    @property
    def envelope(self):
        return json.loads(self.path.read_text())

    @envelope.setter
    def envelope(self, value):
        self.path.write_text(json.dumps(value))

    @property
    def statement(self):
        return json.loads(base64.b64decode(self.envelope["payload"]))

    def change(self, name, value):
        """Change a field of the payload, and leave the signatures."""
        statement = self.statement
        put(statement, name, value)
        self.envelope = {
            **self.envelope,
            "payload": base64.b64encode(json.dumps(statement).encode()).decode(),
        }

    def sign_again(self, statement, key="signer"):
        """Sign another statement with a key: what the key's holder could do."""
        from vestige.evidence.envelope import seal

        self.envelope = seal(statement, evidence.private_key(self.folder / key))

    def verify(self, key="signer.pub", signals=False, **options):
        options = {"weights": self.weights, "now": NOW} | options
        own = self.signals if signals else None
        return evidence.verify(self.path, self.folder / key, own, **options)


def put(record, name, value):
    *path, last = name.split(".")
    for part in path:
        record = record[int(part) if isinstance(record, list) else part]
    record[int(last) if isinstance(record, list) else last] = value
