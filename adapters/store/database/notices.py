"""What the gateways of one database tell each other, by PostgreSQL's LISTEN and NOTIFY.

A notice says that something changed, never what it is now: one that is lost costs time or a read,
and whoever must not miss one asks `Notices.connected` first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.store.database.database import (
    SERVER_SETTINGS,
    Database,
    dsn,
    reaching,
)

CHANNEL = "phantom"
CREDENTIALS = "credentials"
"""A user or a token has changed; sent by triggers on the two tables."""
PING_SECONDS = 5.0
"""A connection that is dead without a word is found out after at most this and the next."""
ANSWER_SECONDS = 5.0


class Notices:
    """One connection that listens, and on which this process's own notices are sent."""

    def __init__(self, database: Database) -> None:
        self._connected = asyncio.Event()
        self._database = database
        self._hear: list[Callable[[str], None]] = []
        self._outgoing: dict[str, None] = {}
        self._signal = Signal()

    @property
    def connected(self) -> bool:
        """Whether every notice that is sent from now on will shortly be heard."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Return as soon as notices are heard."""
        await self._connected.wait()

    def subscribe(self, hear: Callable[[str], None]) -> None:
        """Have `hear` called with each notice of another connection.

        When the connection is lost it is called with `CREDENTIALS`, which may have been missed.
        """
        self._hear.append(hear)

    def tell(self, notice: str) -> None:
        """Send `notice` to the other gateways, soon; the same one twice is sent once.

        Outside of any transaction: PostgreSQL lets only one at a time commit with a notice in it.
        """
        self._outgoing[notice] = None
        self._signal.notify()

    async def run(self) -> None:
        """Listen and send until cancelled, or until the connection is lost, which is raised."""
        with reaching():
            connection = await asyncpg.connect(
                dsn(self._database.url), timeout=ANSWER_SECONDS, server_settings=SERVER_SETTINGS
            )
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._connected.set()
            while True:
                await self._signal.wait(PING_SECONDS)
                outgoing, self._outgoing = self._outgoing, {}
                # Without any it only shows that the connection lives.
                query = "SELECT pg_notify($1, notice) FROM unnest($2::text[]) AS notice"
                with reaching():
                    await connection.execute(query, CHANNEL, list(outgoing), timeout=ANSWER_SECONDS)
        finally:
            self._connected.clear()
            self._pass_on(CREDENTIALS)
            connection.terminate()

    def _heard(self, connection: object, process_id: int, _: str, notice: object) -> None:
        own = isinstance(connection, asyncpg.Connection) and connection.get_server_pid()
        if process_id != own:
            self._pass_on(str(notice))

    def _pass_on(self, notice: str) -> None:
        for hear in self._hear:
            hear(notice)
