"""The schema that the migrations leave."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from adapters.store.database import Database
from adapters.store.tables import metadata


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_the_migrations_leave_exactly_the_tables_of_the_code(database: Database) -> None:
    async with database.begin() as connection:
        assert await connection.run_sync(_differences) == []


async def test_replicas_that_start_at_once_find_one_migrated_database(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    replicas = await asyncio.gather(*(Database.open(postgres_url, name) for _ in range(4)))
    for replica in replicas:
        async with replica.begin() as connection:
            assert await connection.run_sync(_differences) == []
        await replica.close()
