"""What of a real PostgreSQL's errors means that a caller is to try again later."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from adapters.store.availability import is_away, is_outage, is_uncertain
from adapters.store.database import Database, dsn


async def _lock(database: Database, first: str, second: str, both: asyncio.Barrier) -> None:
    async with database.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {first} IN EXCLUSIVE MODE"))
        await both.wait()
        await connection.execute(text(f"LOCK TABLE {second} IN EXCLUSIVE MODE"))


async def test_who_lost_a_deadlock_may_try_again_since_nothing_was_done(database: Database) -> None:
    both = asyncio.Barrier(2)
    ends = await asyncio.gather(
        _lock(database, "workers", "run_log", both),
        _lock(database, "run_log", "workers", both),
        return_exceptions=True,
    )
    (error,) = [end for end in ends if end is not None]
    assert isinstance(error, DBAPIError)
    assert is_outage(error)
    assert not is_uncertain(error)


async def test_a_statement_that_makes_no_sense_is_no_outage(database: Database) -> None:
    async with database.read() as connection:
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("SELECT nothing"))
    assert not is_outage(raised.value)


async def test_a_connection_that_was_lost_is_waited_for_by_loops(database: Database) -> None:
    connection = await asyncpg.connect(dsn(database.url))
    connection.terminate()
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await connection.execute("SELECT 1")
    assert is_away(raised.value)
