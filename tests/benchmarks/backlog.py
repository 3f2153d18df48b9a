"""Runs that are kept waiting, ours and stock's, so that whoever executes them never waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import asyncpg

from tests.benchmarks.installation import Installation
from tests.benchmarks.stock import Stock, delete_scheduled

LOOK_SECONDS, DRAIN_SECONDS = 0.2, 120


class Backlog(Protocol):
    """Runs of one playbook or flow."""

    database: str
    size: int
    """How many runs have not ended at any moment, those under way included."""
    unfinished: str
    """SQL: how many have not ended."""
    finished: str
    """SQL: times of ends between $1 and $2, and whether it was in success."""

    async def start(self) -> object:
        """One more."""

    async def drain(self) -> None:
        """End or forget what still waits."""


@dataclass(frozen=True)
class OurBacklog:
    """Runs of a playbook."""

    system: Installation
    playbook: str
    size: int
    database = "phantom"
    unfinished = "SELECT count(*) FROM playbook_runs WHERE NOT settled AND end_time IS NULL"
    finished = """
        SELECT end_time, status = 'success' AS success FROM playbook_runs
        WHERE end_time >= $1 AND end_time < $2
    """

    async def start(self) -> int:
        """Id of one more run."""
        return await self.system.start(self.playbook)

    async def drain(self) -> None:
        """Wait until all have ended."""
        while (await self.system.rows("phantom", self.unfinished))[0]["count"]:
            await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True)
class StockBacklog:
    """Flow runs of the stock flow with two tasks."""

    stock: Stock
    size: int
    database = "prefect"

    @property
    def unfinished(self) -> str:
        """SQL: how many have not ended."""
        return f"SELECT count(*) FROM flow_run WHERE end_time IS NULL AND {self._chosen}"

    @property
    def finished(self) -> str:
        """SQL: times of ends, and whether it was in success."""
        return f"""
            SELECT end_time, state_type = 'COMPLETED' AS success FROM flow_run
            WHERE end_time >= $1 AND end_time < $2 AND {self._chosen}
        """

    @property
    def _chosen(self) -> str:
        return f"deployment_id = '{self.stock.deployments['two_tasks']}'"

    async def start(self) -> str:
        """Id of one more flow run."""
        return await self.stock.start()

    async def drain(self) -> None:
        """Delete those that nobody has taken, and wait for the others."""
        await delete_scheduled(self.stock.system, [self.stock.deployments["two_tasks"]])
        while (await self.stock.system.rows("prefect", self.unfinished))[0]["count"]:
            await asyncio.sleep(LOOK_SECONDS)


class Window:
    """A stretch of time in which a backlog is worked off."""

    def __init__(self, backlog: Backlog, connection: asyncpg.Connection) -> None:
        self._backlog = backlog
        self._connection = connection

    async def ends(self, since: float, until: float) -> list[tuple[float, bool]]:
        """Seconds after `since` of each run that ended then, and whether it was in success."""
        times = (datetime.fromtimestamp(each, UTC) for each in (since, until))
        rows = await self._connection.fetch(self._backlog.finished, *times)
        return sorted((row["end_time"].timestamp() - since, row["success"]) for row in rows)

    async def fill(self) -> None:
        """Keep it filled until cancelled."""
        while True:
            missing = self._backlog.size - await self._connection.fetchval(self._backlog.unfinished)
            await asyncio.gather(*(self._backlog.start() for _ in range(missing)))
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def kept_filled(system: Installation, backlog: Backlog) -> AsyncIterator[Window]:
    """Filled for the block, and empty after it."""
    connections = [await system.connect(backlog.database) for _ in range(2)]
    try:
        async with asyncio.TaskGroup() as group:
            filling = group.create_task(Window(backlog, connections[0]).fill())
            yield Window(backlog, connections[1])
            filling.cancel()
    finally:
        async with asyncio.timeout(DRAIN_SECONDS):
            await backlog.drain()
        for connection in connections:
            await connection.close()
