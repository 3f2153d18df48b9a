"""Whole runs: trigger to running, runs finished a second, forty actions; one side after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from tests.benchmarks.installation import Installation
from tests.benchmarks.samples import FAST, OURS, SLOW, Samples
from tests.benchmarks.stock import Stock

OUR_STARTS, SLOW_STARTS, FAST_STARTS = 15, 3, 5
OUR_RUNS, SLOW_RUNS, FAST_RUNS, CALLERS = 40, 6, 10, 16
FORTY_ROUNDS = 2
QUIET_SECONDS = 0.5
Id = TypeVar("Id", int, str)
TWO, FORTY = "local/two_actions", "local/forty_actions"


async def starts(system: Installation, slow: Stock, fast: Stock, samples: Samples) -> None:
    """Seconds from before the POST to Prefect's time of the state Running, on an idle machine."""
    name = "trigger to running, idle"
    for number in range(OUR_STARTS):
        await asyncio.sleep(QUIET_SECONDS)  # what the last run has left to do
        sent = time.time()
        row = (await system.ended([await system.start(TWO)]))[0]
        query = "SELECT start_time FROM flow_run WHERE id = $1"
        flow_run = (await system.rows("prefect", query, row["flow_run_id"]))[0]
        samples.add(name, OURS, [flow_run["start_time"].timestamp() - sent])
        samples.add(f"{name} (row claimed)", OURS, [row["claim_time"].timestamp() - sent])
        for side, stock, count in ((SLOW, slow, SLOW_STARTS), (FAST, fast, FAST_STARTS)):
            if number < count:
                await asyncio.sleep(QUIET_SECONDS)
                sent = time.time()
                flow_run = (await stock.ended([await stock.start()]))[0]
                samples.add(name, side, [flow_run["start_time"].timestamp() - sent])


async def finished(system: Installation, slow: Stock, fast: Stock, samples: Samples) -> None:
    """Runs a second, from the first POST to the end of the last run."""

    def add(side: str, rate: float) -> None:
        samples.add("two-action runs finished a second", side, [rate], unit="/s", rate=True)

    add(OURS, await _rate(lambda: system.start(TWO), system.ended, OUR_RUNS))
    await asyncio.sleep(QUIET_SECONDS)
    add(FAST, await _rate(fast.start, fast.ended, FAST_RUNS))
    await asyncio.sleep(3 * QUIET_SECONDS)
    add(OURS, await _rate(lambda: system.start(TWO), system.ended, OUR_RUNS))
    await asyncio.sleep(QUIET_SECONDS)
    add(SLOW, await _rate(slow.start, slow.ended, SLOW_RUNS))


async def forty(system: Installation, fast: Stock, samples: Samples) -> None:
    """Seconds from claim to end of one run with forty actions; of stock, from start to end."""
    name = "40 light actions in one run"
    for _ in range(FORTY_ROUNDS):
        row = (await system.ended([await system.start(FORTY)]))[0]
        samples.add(name, OURS, [(row["end_time"] - row["claim_time"]).total_seconds()])
        row = (await fast.ended([await fast.start("forty_tasks")]))[0]
        samples.add(name, FAST, [(row["end_time"] - row["start_time"]).total_seconds()])


async def _rate(
    begin: Callable[[], Awaitable[Id]],
    ended: Callable[[list[Id]], Awaitable[list[asyncpg.Record]]],
    count: int,
) -> float:
    """Ends a second of so many runs, begun by callers that wait for their answer each."""
    left = iter(range(count))
    ids: list[Id] = []

    async def call() -> None:
        for _ in left:
            ids.append(await begin())  # noqa: PERF401 (a list for each caller has no order)

    sent = time.time()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    rows = await ended(ids)
    last = max(row["end_time"].timestamp() for row in rows)
    return count / float(last - sent)
