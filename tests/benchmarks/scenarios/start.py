"""Trigger to running on an idle machine."""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import TWO
from tests.benchmarks.sides import DEFAULT_POLL, OURS, SECOND_POLL, STOCK

OUR_STARTS, SLOW_STARTS, FAST_STARTS = 20, 4, 6
QUIET_SECONDS = 0.7
NAME = "trigger to running, idle"


async def start(bench: Bench) -> None:
    """Seconds from before the POST to Prefect's time of the state Running, in turn."""
    ours, slow, fast = (5, 1, 2) if bench.quick else (OUR_STARTS, SLOW_STARTS, FAST_STARTS)
    for number in range(ours):
        await _ours(bench)
        for side in STOCK:
            if number < (slow if side in DEFAULT_POLL else fast):
                await _stock(bench, side)


async def _ours(bench: Bench) -> None:
    await asyncio.sleep(QUIET_SECONDS)  # what the last run has left to do
    sent = time.time()
    row = (await bench.system.ended([await bench.system.start(TWO)]))[0]
    query = "SELECT start_time FROM flow_run WHERE id = $1"
    flow_run = (await bench.system.rows("prefect", query, row["flow_run_id"]))[0]
    waited = flow_run["start_time"].timestamp() - sent
    bench.samples.add(NAME, OURS, [waited], unit="s")
    waited = row["claim_time"].timestamp() - sent
    bench.samples.add(f"{NAME} (row claimed)", OURS, [waited], unit="s")


async def _stock(bench: Bench, side: str) -> None:
    stock = await bench.stock(side)
    with stock.awake():
        # Woken up it polls at once: let some moment between two polls pass as well.
        await asyncio.sleep(_moment(side, len(bench.samples.side(NAME, side).values)))
        sent = time.time()
        row = (await stock.ended([await stock.start()]))[0]
    bench.samples.add(NAME, side, [row["start_time"].timestamp() - sent], unit="s")


def _moment(side: str, number: int) -> float:
    """Seconds after a poll, spread evenly over the time between two polls."""
    count, seconds = (FAST_STARTS, 1) if side in SECOND_POLL else (SLOW_STARTS, 10)
    return QUIET_SECONDS + (number + 0.5) * seconds / count
