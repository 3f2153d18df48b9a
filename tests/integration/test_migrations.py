"""The schema that the migrations leave."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from prefect_phantom.adapters.store.accounts import accounts, users
from prefect_phantom.adapters.store.accounts.accounts import Changes
from prefect_phantom.adapters.store.case import search
from prefect_phantom.adapters.store.database.database import Database, create_database, database_url
from prefect_phantom.adapters.store.database.schema import MIGRATIONS
from prefect_phantom.adapters.store.tables import (
    account_tables,
    automation_tables,
    case_tables,
    queue_tables,
    tables,
)
from prefect_phantom.adapters.store.tables.columns import metadata
from prefect_phantom.adapters.store.tables.run_states import RUN_STATES, run_statement

TABLES = (account_tables, automation_tables, case_tables, queue_tables, search, tables)
"""What the metadata is filled by, however few tests are run."""
INDEXES = {
    "queued": "ix_playbook_runs_queue",
    "not_dispatched": "ix_playbook_runs_queue_of_playbook",
    "waiting": "ix_playbook_runs_standing",
    "held": "ix_playbook_runs_held",
}


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _waits(database: Database, table: str) -> bool:
    query = text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST(:table AS regclass)"
    )
    async with database.read() as connection:
        return bool(await connection.scalar(query.bindparams(table=table)))


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
        while not await _waits(before, "playbook_runs"):
            await asyncio.sleep(0.01)
        # Each waits for the other now; a deadlock would end one of them.
        await serving.execute(text("SELECT count(*) FROM playbooks"))
    after = await migrating
    async with after.begin() as connection:
        assert await connection.run_sync(_differences) == []
    await after.close()
    await before.close()


async def test_a_migration_that_takes_long_holds_no_lock_of_those_before_it(
    postgres_url: str,
) -> None:
    name = f"test_{uuid4().hex}"
    await create_database(postgres_url, name)
    before = Database(database_url(postgres_url, name))
    async with before.begin() as connection:
        await connection.run_sync(_upgrade, "0011")
    async with before.begin() as serving:
        # Revision 0012 changes playbook_runs; 0013 makes indexes, of notes among others.
        await serving.execute(text("LOCK TABLE notes IN ROW EXCLUSIVE MODE"))
        migrating = asyncio.create_task(Database.open(postgres_url, name))
        while not await _waits(before, "notes"):
            await asyncio.sleep(0.01)
        async with before.begin() as connection:
            await connection.execute(text("LOCK TABLE playbook_runs IN ROW EXCLUSIVE MODE NOWAIT"))
            # What a new run takes of its container's table.
            await connection.execute(text("LOCK TABLE containers IN ROW SHARE MODE NOWAIT"))
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        assert revision == "0012"
    await (await migrating).close()
    await before.close()


async def test_an_index_of_runs_is_made_while_playbooks_are_read(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    await create_database(postgres_url, name)
    before = Database(database_url(postgres_url, name))
    async with before.begin() as connection:
        await connection.run_sync(_upgrade, "0019")
    async with before.begin() as serving:
        # Whoever changes the table of runs, or makes an index of it, waits here.
        await serving.execute(text("LOCK TABLE playbook_runs IN ROW EXCLUSIVE MODE"))
        migrating = asyncio.create_task(Database.open(postgres_url, name))
        while not await _waits(before, "playbook_runs"):
            await asyncio.sleep(0.01)
        async with before.begin() as connection:
            await connection.execute(text("LOCK TABLE playbooks IN ROW EXCLUSIVE MODE NOWAIT"))
    after = await migrating
    async with after.begin() as connection:
        assert await connection.run_sync(_differences) == []
    await after.close()
    await before.close()


async def test_a_database_that_has_the_index_already_is_migrated(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    await create_database(postgres_url, name)
    before = Database(database_url(postgres_url, name))
    async with before.begin() as connection:
        await connection.run_sync(_upgrade, "0020")
        await connection.execute(
            text(
                "CREATE INDEX ix_playbook_runs_queue_of_playbook ON playbook_runs"
                " (playbook_id, queue_time, id)"
                " WHERE end_time IS NULL AND claim_time IS NULL AND flow_run_id IS NULL"
            )
        )
    await before.close()
    after = await Database.open(postgres_url, name)
    async with after.begin() as connection:
        assert await connection.run_sync(_differences) == []
    await after.close()


async def test_replicas_that_start_at_once_find_one_migrated_database(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    replicas = await asyncio.gather(*(Database.open(postgres_url, name) for _ in range(4)))
    for replica in replicas:
        async with replica.begin() as connection:
            assert await connection.run_sync(_differences) == []
        await replica.close()


async def test_users_of_a_version_without_roles_may_do_what_they_could(postgres_url: str) -> None:
    name = f"test_{uuid4().hex}"
    await create_database(postgres_url, name)
    before = Database(database_url(postgres_url, name))
    async with before.begin() as connection:
        await connection.run_sync(_upgrade, "0007")
        await connection.execute(
            text(
                "INSERT INTO users (username, type, administrator) VALUES"
                " ('admin', 'normal', true), ('operator', 'automation', true),"
                " ('script', 'automation', false)"
            )
        )
    await before.close()
    after = await Database.open(postgres_url, name)
    roles = {user.username: user.roles for user in await users.read_all(after)}
    assert roles == {
        "admin": ("Administrator",),
        "operator": ("Administrator",),
        "script": ("Automation",),
    }
    await after.close()


@pytest.mark.parametrize("taken", ["role of the user", "permission of the role"])
async def test_a_gateway_of_a_version_without_roles_sees_who_administers(
    database: Database, taken: str
) -> None:
    async def administers(user_id: int) -> bool | None:
        query = text("SELECT administrator FROM users WHERE id = :id")
        async with database.begin() as connection:
            return await connection.scalar(query, {"id": user_id})

    await users.ensure_administrator(database, "changeme")
    async with database.begin() as connection:
        made = "INSERT INTO roles (name, permissions) VALUES (:name, '{administer}')"
        await connection.execute(text(made), {"name": taken})
    user_id, _ = await accounts.create(database, taken, "automation", Changes(roles=[taken]))
    assert await administers(user_id) is True
    if taken == "role of the user":
        await accounts.change(database, user_id, Changes(roles=["Observer"]))
    else:
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE roles SET permissions = '{view}' WHERE name = :name"), {"name": taken}
            )
    assert await administers(user_id) is False


async def test_the_indexes_of_runs_are_of_the_states_that_statements_name(
    database: Database,
) -> None:
    predicate = text(
        "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
        " WHERE indexrelid = CAST(:name AS regclass)"
    )
    async with database.begin() as connection:
        for state, name in INDEXES.items():
            await connection.execute(
                text(f"CREATE INDEX probe ON playbook_runs (id) WHERE {RUN_STATES[state]}")
            )
            declared = await connection.scalar(predicate, {"name": "probe"})
            await connection.execute(text("DROP INDEX probe"))
            assert await connection.scalar(predicate, {"name": name}) == declared
    assert INDEXES.keys() == RUN_STATES.keys()


async def test_a_statement_that_names_a_state_is_answered_from_its_index(
    database: Database,
) -> None:
    async with database.begin() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        for state, name in INDEXES.items():
            # Which of two indexes that both fit is cheaper depends on the rows.
            others = [each for each in INDEXES.values() if each != name]
            await connection.execute(text("SAVEPOINT others"))
            await connection.execute(text(f"DROP INDEX {', '.join(others)}"))
            plan = await connection.execute(
                run_statement(f"EXPLAIN SELECT count(*) FROM playbook_runs WHERE {{{state}}}")
            )
            assert name in "".join(plan.scalars())
            await connection.execute(text("ROLLBACK TO SAVEPOINT others"))
