"""As whom the parts work on the embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from prefect_phantom.adapters.store.database.database import Database, database_url, dsn
from prefect_phantom.adapters.supervisor.postgres.roles import as_role, give_to_its_role

FOREIGN = """
SELECT oid::regclass::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relowner = 'postgres'::regrole
UNION ALL SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proowner = 'postgres'::regrole
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


@pytest.fixture
async def name(postgres_url: str) -> AsyncIterator[str]:
    """A database that the superuser has made, with all tables, and what Prefect may add."""
    name = f"owned_{uuid4().hex[:12]}"
    database = await Database.open(postgres_url, name)
    await database.close()
    connection = await asyncpg.connect(dsn(database_url(postgres_url, name)))
    await connection.execute(
        "CREATE EXTENSION pg_trgm; CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN few AS int;"
        'CREATE VIEW "A view" AS SELECT 1; CREATE SEQUENCE alone; CREATE MATERIALIZED VIEW m AS'
        " SELECT 1; CREATE PROCEDURE p(mood) LANGUAGE sql AS ''"
    )
    await connection.close()
    yield name
    server = await asyncpg.connect(dsn(database_url(postgres_url, "postgres")))
    await server.execute(f'DROP DATABASE "{name}"')
    await server.execute(f'DROP ROLE "{name}"')
    await server.close()


async def test_a_role_takes_over_the_database_of_an_earlier_version(
    postgres_url: str, name: str
) -> None:
    for _ in range(2):  # each start does so
        await give_to_its_role(postgres_url, name)
    database = await Database.open(as_role(postgres_url, name), name)
    await database.close()
    connection = await asyncpg.connect(dsn(database_url(as_role(postgres_url, name), name)))
    try:
        assert await connection.fetch(FOREIGN) == []
        await connection.execute("ALTER TABLE playbook_runs ADD COLUMN later int")
        await connection.execute("ALTER TYPE mood ADD VALUE 'b'; ALTER DOMAIN few SET NOT NULL")
    finally:
        await connection.close()


@pytest.mark.attack(
    "SQL of a part of ours that starts a program, reads a file, or opens another database",
    "permission denied: it works as a role that owns its database alone",
)
async def test_a_part_cannot_have_the_server_do_what_is_not_its_databases(
    postgres_url: str, name: str
) -> None:
    await give_to_its_role(postgres_url, name)
    connection = await asyncpg.connect(dsn(database_url(as_role(postgres_url, name), name)))
    try:
        for statement in (
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "COPY containers FROM '/etc/passwd'",
            "SELECT pg_read_file('/etc/passwd')",
            "ALTER SYSTEM SET log_statement = 'all'",
            "CREATE DATABASE another",
            "CREATE ROLE another SUPERUSER",
            "CREATE EXTENSION file_fdw",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
