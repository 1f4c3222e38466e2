"""Migrations of the ledger's tables, run by Alembic; `vestige ledger init` brings a ledger to the newest."""
