"""Whether the database answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from prefect_phantom.adapters.errors import Unavailable
from prefect_phantom.adapters.process.outage import Dependency
from prefect_phantom.adapters.store.database.database import Database, DatabaseAway
from prefect_phantom.adapters.store.database.prepared import Prepared

ANSWER_SECONDS = 5.0
"""A database that takes longer for ``SELECT 1`` counts as not answering."""

OUTAGES = (
    DatabaseAway,  # the socket refuses or is gone, or no connection is free
    PoolTimeoutError,  # every connection has been busy for longer than a caller can wait
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,  # starting, stopping or recovering
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,  # the statement timeout of `Database`
    asyncpg.DeadlockDetectedError,  # rolled back, for somebody else's sake
    asyncpg.LockNotAvailableError,  # the same, sooner
    asyncpg.IdleInTransactionSessionTimeoutError,  # ended because this process stood still
)
LOST = (asyncpg.ConnectionDoesNotExistError, asyncpg.AdminShutdownError, ConnectionResetError)
"""What a connection that was there breaks with."""


def is_outage(error: BaseException) -> bool:
    """Whether `error`, raised by work on the store, means that the database does not answer.

    SQLAlchemy and its driver wrap what asyncpg raises, so the chain of causes is looked through.
    """
    return any(
        isinstance(cause, OUTAGES)
        or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
        for cause in causes(error)
    )


def is_uncertain(error: BaseException) -> bool:
    """Whether an outage came in the middle of work, which may have been committed all the same."""
    return any(
        isinstance(cause, LOST) or (isinstance(cause, DBAPIError) and cause.connection_invalidated)
        for cause in causes(error)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, what it was raised from, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


_SIGN_OF_LIFE = Prepared(select(literal_column("1")))


_asked: WeakKeyDictionary[Database, asyncio.Task[Exception | None]] = WeakKeyDictionary()


async def check(database: Database) -> None:
    """Ask the database for a sign of life. Raises `Unavailable`.

    Who asks meanwhile has the same answer: strangers may ask, and each question has a connection.
    """
    asking = _asked.get(database)
    if asking is None or asking.done():
        asking = _asked[database] = asyncio.create_task(_outage(database))
    if (outage := await asyncio.shield(asking)) is not None:
        raise Unavailable from outage


async def _outage(database: Database) -> Exception | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await database.fetch(_SIGN_OF_LIFE)
    except (TimeoutError, *OUTAGES) as error:
        return error
    return None


def database_dependency(database: Database, logger: logging.Logger) -> Dependency:
    """The database, for loops that need it."""
    return Dependency("PostgreSQL", logger, is_outage=is_away, ask=lambda: check(database))


def is_away(error: BaseException) -> bool:
    """Whether `error` means that the database does not answer, `check` having found out or not.

    A connection of asyncpg's own that was lost is closed, and says no more than that.
    """
    asked = type(error) is Unavailable  # a subclass says what else is away
    return asked or isinstance(error, asyncpg.InterfaceError) or is_outage(error)
