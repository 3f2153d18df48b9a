"""Run by alembic with the connection that `Database.open` gives it."""

from __future__ import annotations

from alembic import context

from prefect_phantom.adapters.store.tables.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
