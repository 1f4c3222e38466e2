"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from vestige.ledger.tables import TRIGGERS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = {
    "event": "sequence:i* time:t actor:t kind:t about:t payload:t previous:t digest:t",
    "head": "id:i* time:t digest:t sequence:i",
    "request": "id:t* subject:t external:t records:t source:t received:t due:t state:t reason:t custody:t "
    "until_date:t duplicate_of:t failed:t lines:t extended:i note:i event:i",
    "lookup": "name:t* request:t event:i",
    "commitment": "request:t* line:t* state:t saw:t way:t plan:t version:t folder:t verdict:t audit:t evidence:t "
    "failed:t event:i",
    "version": "id:t* line:t name:t parent:t state:t place:t digest:t manifest:t records:i event:i",
    "escrow": "request:t* until_date:t state:t digests:t sha256:t event:i",
    "fact": "name:t* body:t event:i",
    "note": "event:i* text:t salt:b",
    "manifest": "digest:t* records:i body:b",
    "vault": "request:t* wrapped:b body:b",
}
"""Columns by table: t text, i whole number, b bytes, * part of the key."""
INDICES = {
    "event_about": ("event", ["about"]),
    "event_kind": ("event", ["kind"]),
    "request_due": ("request", ["due"]),
    "request_state": ("request", ["state"]),
    "request_duplicate_of": ("request", ["duplicate_of"]),
    "commitment_line": ("commitment", ["line", "state"]),
    "version_line": ("version", ["line"]),
}


def upgrade() -> None:
    kinds: dict[str, Any] = {
        "t": sa.Text,
        "i": sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        "b": sa.LargeBinary,
    }
    for table, columns in TABLES.items():
        parts = [text.partition(":")[::2] for text in columns.split()]
        op.create_table(
            table,
            *(
                sa.Column(
                    name,
                    kinds[kind[0]],
                    primary_key="*" in kind,
                    nullable="*" not in kind,
                    autoincrement=False,
                )
                for name, kind in parts
            ),
        )
    for name, (table, names) in INDICES.items():
        op.create_index(name, table, names)
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("There is nothing before the first tables.")
