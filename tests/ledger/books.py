"""What the tests of the ledger are about: records, weights, and an empty database on a server."""

from __future__ import annotations

import itertools

import sqlalchemy as sa

NUMBERS = itertools.count()
IDS = [f"r{k}" for k in range(60)]
ASKED = IDS[:6]


def weights(folder, text="weights"):
    """Write a model of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_text(text)
    return folder


def fresh(server):
    """Make an empty database on a server, and return its URL."""
    name = f"ledger{next(NUMBERS)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")
