"""What of a real PostgreSQL's errors means that a caller is to try again later."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from sqlalchemy import literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import PrefectUnavailable, Unavailable
from prefect_phantom.adapters.store.database.availability import (
    check,
    is_away,
    is_outage,
    is_uncertain,
)
from prefect_phantom.adapters.store.database.database import (
    Database,
    DatabaseAway,
    database_url,
    dsn,
)
from prefect_phantom.adapters.store.database.notices import Notices
from prefect_phantom.adapters.store.database.prepared import Prepared


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is ours, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


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


async def test_a_database_that_cannot_be_reached_is_away_whatever_is_asked_of_it(
    closed_port: int,
) -> None:
    away = Database(database_url(f"postgresql://nobody@127.0.0.1:{closed_port}", "none"))
    for ways in (away.begin, away.read, away.list):
        with pytest.raises(DatabaseAway) as raised:
            async with ways():
                pass
        assert is_outage(raised.value)
    with pytest.raises(DatabaseAway) as raised:
        await away.fetch(Prepared(select(literal_column("1"))))
    assert is_outage(raised.value)
    with pytest.raises(DatabaseAway):
        await Notices(away).run()
    with pytest.raises(Unavailable) as unavailable:
        await check(away)
    assert is_away(unavailable.value)
    await away.close()


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(2, "No such file"), TimeoutError(), ConnectionResetError(), OSError(24, "")],
    ids=lambda error: type(error).__name__,
)
async def test_what_else_fails_while_the_database_is_asked_is_no_outage_of_it(
    database: Database, error: OSError
) -> None:
    for ways in (database.begin, database.read, database.list):
        with pytest.raises(type(error)) as raised:
            await _fail(ways, error)
        assert raised.value is error
    assert not is_outage(error)
    assert not is_away(error)


async def _fail(
    ways: Callable[[], AbstractAsyncContextManager[AsyncConnection]], error: OSError
) -> None:
    async with ways() as connection:
        await connection.execute(text("SELECT 1"))
        raise error


def test_what_prefect_does_not_do_is_not_told_of_the_database() -> None:
    assert not is_away(PrefectUnavailable())


async def test_a_connection_that_was_lost_is_waited_for_by_loops(database: Database) -> None:
    connection = await asyncpg.connect(dsn(database.url))
    connection.terminate()
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await connection.execute("SELECT 1")
    assert is_away(raised.value)
