"""What Alembic runs: the migrations, within the transaction of the connection that it is given."""

from alembic import context

from vestige.ledger.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
