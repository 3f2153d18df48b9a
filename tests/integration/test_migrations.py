"""The schema that the migrations leave."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from adapters.store.database import Database, create_database, database_url
from adapters.store.schema import MIGRATIONS
from adapters.store.tables import metadata


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _waits(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'playbook_runs'::regclass"
    )
    async with database.read() as connection:
        return bool(await connection.scalar(query))


async def test_the_migrations_leave_exactly_the_tables_of_the_code(database: Database) -> None:
    async with database.begin() as connection:
        assert await connection.run_sync(_differences) == []


async def test_a_migration_gives_way_to_those_who_serve_meanwhile(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    await create_database(postgres_url, name)
    before = Database(database_url(postgres_url, name))
    async with before.begin() as connection:
        await connection.run_sync(_upgrade, "0003")
    async with before.begin() as serving:
        # Revision 0004 changes playbooks and then playbook_runs, and cannot get the second.
        await serving.execute(text("LOCK TABLE playbook_runs IN ROW EXCLUSIVE MODE"))
        migrating = asyncio.create_task(Database.open(postgres_url, name))
        while not await _waits(before):
            await asyncio.sleep(0.01)
        # Each waits for the other now; a deadlock would end one of them.
        await serving.execute(text("SELECT count(*) FROM playbooks"))
    after = await migrating
    async with after.begin() as connection:
        assert await connection.run_sync(_differences) == []
    await after.close()
    await before.close()


async def test_replicas_that_start_at_once_find_one_migrated_database(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    replicas = await asyncio.gather(*(Database.open(postgres_url, name) for _ in range(4)))
    for replica in replicas:
        async with replica.begin() as connection:
            assert await connection.run_sync(_differences) == []
        await replica.close()
