"""The connection to PostgreSQL, and bringing its schema up to date."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Self

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random

from prefect_phantom.adapters.between.fair_semaphore import FairSemaphore
from prefect_phantom.adapters.store.accounts.served_request import note
from prefect_phantom.adapters.store.database.gathered import Gathered
from prefect_phantom.adapters.store.database.prepared import Prepared

MIGRATION_LOCK = 0x5048414E  # "PHAN": any two gateways on one database use the same key
MIGRATION_SECONDS = 120
"""How long it is tried to get the tables, which others use meanwhile."""
LOCK_MILLISECONDS = 500
STATEMENT_TIMEOUT_MILLISECONDS = 30_000
ASKING_SECONDS = 120
"""How long a transaction stands still at most in which another server is asked."""
WAIT_SECONDS = 30.0
"""How long a statement waits for a connection to be free."""
LIST_SECONDS = 5
"""How long one statement of a list may take."""
LIST_CONNECTIONS = 4
LISTS_WAITING = 100
LIST_WAIT_SECONDS = 10.0
"""How many statements of lists wait for a connection, and how long each."""
PATTERN_SECONDS = 1
PATTERN_SHARE = 0.5
"""How long a list with a regular expression may take; these have one connection of their own, since
some that look harmless keep a processor busy for as long as they may; it rests half of the time."""
LIST_STATEMENTS = 20
"""How many statements of lists are remembered, in all and by each connection."""
logger = logging.getLogger("prefect_phantom.database")
SERVER_SETTINGS = {
    "application_name": "prefect-phantom",
    "timezone": "UTC",
    "statement_timeout": str(STATEMENT_TIMEOUT_MILLISECONDS),
    # Nobody else waits for what a process has locked that stands still; a lease lives longer.
    "idle_in_transaction_session_timeout": "15s",
}
LIST_SETTINGS = {
    **SERVER_SETTINGS,
    "default_transaction_read_only": "on",
    # One list keeps one processor busy at most, and is planned for the values that it has.
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
"""Lists are whatever callers think of, so their sessions are more closely bound."""


class DatabaseAway(ConnectionError):
    """PostgreSQL cannot be reached, or has no connection for us in time."""


@contextmanager
def reaching() -> Iterator[None]:
    """Raise `DatabaseAway` for what the system says of a connection to PostgreSQL.

    Around nothing else: a file or another server that fails is no fault of the database.
    """
    try:
        yield
    except OSError as error:
        raise DatabaseAway(str(error) or type(error).__name__) from error


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with AsyncExitStack() as stack:
        with reaching():
            connection = await stack.enter_async_context(engine.connect())
        yield connection


class _Lists:
    """Connections for lists, and the turns of those who ask for them."""

    def __init__(self, url: URL, *, connections: int, seconds: int, share: float = 1.0) -> None:
        self.places = FairSemaphore(
            connections, most_waiting=LISTS_WAITING, seconds=LIST_WAIT_SECONDS, share=share
        )
        self.engine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
            json_serializer=compact_json,
            # Hardly one list is like another: what is kept of each would be a hundred megabytes.
            query_cache_size=LIST_STATEMENTS,
            connect_args={
                "server_settings": LIST_SETTINGS | {"statement_timeout": f"{seconds}s"},
                "prepared_statement_cache_size": LIST_STATEMENTS,
            },
        )


def database_url(server: str, name: str) -> URL:
    """Address of the database `name` on the PostgreSQL server at `server`.

    `server` is any ``postgresql://`` URL; its driver and database name are replaced.
    """
    return make_url(server).set(drivername="postgresql+asyncpg", database=name)


class Database:
    """Pools of connections: `begin` for work, one transaction each; `read` for single reads.

    `fetch` is the short way for statements that are run for each request. `list` has a few
    connections of its own, so that lists can hold up nothing but each other, and users take turns.
    """

    def __init__(self, url: URL, *, pool_size: int = 10, lock_seconds: float | None = None) -> None:
        """`lock_seconds` is how long a statement waits for what others have locked."""
        self.url = url
        settings = dict(SERVER_SETTINGS)
        if lock_seconds is not None:
            settings["lock_timeout"] = f"{lock_seconds * 1000:.0f}"
        self._short = asyncpg.create_pool(
            dsn(url),
            min_size=0,
            max_size=pool_size,
            init=_read_json,
            # Nothing that is run there changes its connection's session.
            reset=_leave,
            server_settings=settings,
        )
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            # What callers send must not end up in the log when a statement fails.
            hide_parameters=True,
            json_serializer=compact_json,
            connect_args={"server_settings": settings},
        )
        self._gathered: dict[Prepared, Gathered] = {}
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._lists = _Lists(url, connections=LIST_CONNECTIONS, seconds=LIST_SECONDS)
        self._patterns = _Lists(url, connections=1, seconds=PATTERN_SECONDS, share=PATTERN_SHARE)

    @classmethod
    async def open(cls, server: str, name: str) -> Self:
        """Make the database if it is missing, migrate it, and return it opened."""
        url = database_url(server, name)
        await create_database(server, name)
        database = cls(url)
        async for trial in AsyncRetrying(
            retry=retry_if_exception(_is_lock_timeout),
            wait=wait_random(0, 1),
            stop=stop_after_delay(MIGRATION_SECONDS),
            reraise=True,
        ):
            with trial:
                while await database._bring_further():
                    pass
        return database

    @asynccontextmanager
    async def begin(self, *, asks_others: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back on an exception.

        `asks_others` says that another server is asked between its statements, which may take
        `ASKING_SECONDS`; PostgreSQL soon ends any other that stands still.
        """
        async with _connected(self.engine) as connection, connection.begin():
            if asks_others:
                await connection.execute(_ASKING)
            yield connection
            await note(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for statements that only read: each is a transaction of its own.

        Saves the two round trips that begin and end one, on the paths that callers poll.
        """
        async with _connected(self._reading) as connection:
            yield connection

    @asynccontextmanager
    async def list(
        self, turn: Hashable = None, *, patterns: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement of a list, which cannot write and ends after a while.

        Statements with the same `turn`, such as those of a user, wait for each other, and hold up
        nobody else; raises `TooMany` when too many wait. `patterns` says that it has regular
        expressions, with which it may take `PATTERN_SECONDS` only.
        """
        lists = self._patterns if patterns else self._lists
        async with lists.places.place(turn), _connected(lists.engine) as connection:
            yield connection

    async def fetch(self, prepared: Prepared, **given: object) -> asyncpg.Record | None:
        """The first row of a statement that is a transaction of its own; None without a row."""
        async with self._connection() as connection:
            return await connection.fetchrow(prepared.text, *prepared.values(given))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[PoolConnectionProxy]:
        pool = await self._short  # at first it has to be made ready
        # Where nothing is waited for, a clock for it costs more than the statement.
        wait = None if pool.get_idle_size() else WAIT_SECONDS
        with reaching():
            connection = await pool.acquire(timeout=wait)
        try:
            yield connection
        finally:
            await pool.release(connection)

    async def fetch_all(self, prepared: Prepared, **given: object) -> Sequence[asyncpg.Record]:
        """All rows of a statement that is a transaction of its own."""
        async with self._connection() as connection:
            return await connection.fetch(prepared.text, *prepared.values(given))

    async def gather(self, prepared: Prepared, identifier: int) -> asyncpg.Record | None:
        """The row `identifier` of a statement that reads those named by its ``ids``, or None.

        Who asks for rows of the statement at once shares a trip to PostgreSQL.
        """
        gathered = self._gathered.get(prepared)
        if gathered is None:
            gathered = self._gathered[prepared] = Gathered(functools.partial(self._rows, prepared))
        return await gathered.row(identifier)

    async def _rows(self, prepared: Prepared, ids: Sequence[int]) -> dict[int, asyncpg.Record]:
        return {row["id"]: row for row in await self.fetch_all(prepared, ids=ids)}

    async def _bring_further(self) -> bool:
        """Migrate by one transaction; returns whether there was anything to do."""
        async with self.begin() as connection:
            # Two replicas may start at once: the second waits here and finds nothing to do.
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            # Others serve meanwhile. In a deadlock PostgreSQL would end one of them, after a
            # second; and whoever comes later waits behind a lock that is waited for.
            await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}"))
            return await connection.run_sync(_migrate)

    async def close(self) -> None:
        """Close every connection."""
        await (await self._short).close()
        await self.engine.dispose()
        await self._lists.engine.dispose()
        await self._patterns.engine.dispose()


async def create_database(server: str, name: str) -> bool:
    """Make the database `name` on `server` unless it is there; returns whether it was made here."""
    url = database_url(server, name)
    try:
        connection = await asyncpg.connect(dsn(url))
    except asyncpg.InvalidCatalogNameError:
        # Another replica may be faster, which is just as good.
        with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            await _execute_on_server(server, f"CREATE DATABASE \"{name}\" ENCODING 'UTF8'")
            return True
    else:
        await connection.close()
    return False


async def drop_database(server: str, name: str) -> None:
    """Remove the database `name` from `server`, whoever is connected to it."""
    await _execute_on_server(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _execute_on_server(server: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn(database_url(server, "postgres")))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def dsn(url: URL) -> str:
    """`url` as asyncpg itself takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def compact_json(value: object) -> str:
    """`value` as it is stored."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


async def _read_json(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=compact_json, decoder=json.loads
        )


async def _leave(_: asyncpg.Connection) -> None:
    """Let a connection go back to its pool as it is, without a round trip to clean it."""


_ASKING = text(f"SET LOCAL idle_in_transaction_session_timeout = '{ASKING_SECONDS}s'")


def _is_lock_timeout(error: BaseException) -> bool:
    code = getattr(error.orig, "sqlstate", "") if isinstance(error, DBAPIError) else ""
    return code == asyncpg.LockNotAvailableError.sqlstate


def _migrate(connection: Connection) -> bool:
    """Carry out the next migration, or all on an empty database; returns whether there was one.

    One that takes long must not hold the locks of those before it: runs are accepted meanwhile.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision == script.get_current_head():
        return False
    if revision is not None and revision not in {each.revision for each in script.walk_revisions()}:
        # Each migration leaves all that the version before it needs, so this one serves on.
        logger.warning("The schema, %s, is of a newer version than this program", revision)
        return False
    command.upgrade(config, "head" if revision is None else "+1")
    return True
