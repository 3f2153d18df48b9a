"""Whether somebody can already sign in as the first administrator."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select
from sqlalchemy.ext.asyncio import create_async_engine

from prefect_phantom.adapters.settings import PHANTOM_DATABASE
from prefect_phantom.adapters.store.database.database import database_url
from prefect_phantom.adapters.store.tables.account_tables import users

ADMINISTRATOR = "admin"


async def has_administrator(server: str) -> bool:
    """Look in our database on `server`, whose tables may not have been made yet."""
    engine = create_async_engine(database_url(server, PHANTOM_DATABASE))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_has_administrator)
    finally:
        await engine.dispose()


def _has_administrator(connection: Connection) -> bool:
    question = select(users.c.id).where(users.c.username == ADMINISTRATOR)
    return inspect(connection).has_table(users.name) and connection.scalar(question) is not None
