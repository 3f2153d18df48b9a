"""The roles as whom the parts work on the embedded PostgreSQL: each owns a database, and no more.

As its superuser a part could have the server read files and start programs.
"""

from __future__ import annotations

import asyncpg
from sqlalchemy import make_url

from prefect_phantom.adapters.store.database.database import database_url, dsn

MAKE = """
DO $$ BEGIN
    CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$
"""
TAKE_OVER = """
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER %s %s OWNER TO %I', kind, name, '{role}') FROM (
            SELECT
                CASE relkind
                    WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                    ELSE 'TABLE'
                END AS kind,
                'pg_class'::regclass AS catalog, oid, relowner AS owner, oid::regclass::text AS name
            FROM pg_class
            WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relnamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'ROUTINE', 'pg_proc'::regclass, oid, proowner, oid::regprocedure::text
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'TYPE', 'pg_type'::regclass, oid, typowner, oid::regtype::text
            FROM pg_type WHERE typtype IN ('e', 'd') AND typnamespace = 'public'::regnamespace
        ) AS thing
        WHERE owner <> '"{role}"'::regrole
            -- Neither an extension's, nor a sequence that goes with its column.
            AND NOT EXISTS (
                SELECT FROM pg_depend
                WHERE classid = catalog AND objid = thing.oid AND deptype IN ('e', 'a', 'i')
            )
    LOOP
        EXECUTE statement;
    END LOOP;
END $$
"""


def as_role(server: str, role: str) -> str:
    """The URL of a server for a part that works as `role`."""
    return make_url(server).set(username=role).render_as_string(hide_password=False)


async def give_to_its_role(server: str, database: str) -> None:
    """Have the role that is named like the database own it, with all that is in it.

    A database of an earlier version, or one that was restored, is the superuser's.

    Raises:
        asyncpg.PostgresError: `server` is not the superuser's.

    """
    connection = await asyncpg.connect(dsn(database_url(server, database)))
    try:
        await connection.execute(MAKE.format(role=database))
        await connection.execute(f'ALTER DATABASE "{database}" OWNER TO "{database}"')
        await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
        await connection.execute(TAKE_OVER.format(role=database))
    finally:
        await connection.close()
