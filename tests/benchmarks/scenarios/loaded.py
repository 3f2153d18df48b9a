"""Trigger to running while runs arrive at half the rate at which they can be finished."""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.backlog import OurBacklog, kept_filled
from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import TWO
from tests.benchmarks.scenarios.steady import NAME as FINISHED
from tests.benchmarks.scenarios.steady import OUR_WAITING
from tests.benchmarks.sides import OURS

SECONDS, QUICK_SECONDS = 20, 8


async def loaded(bench: Bench) -> None:
    """Ours alone: seconds from before the POST to Prefect's time of the state Running."""
    rate = (bench.samples.side(FINISHED, OURS).rate or await _rate(bench)) / 2
    count = round(rate * (QUICK_SECONDS if bench.quick else SECONDS))
    start = time.time()
    sent = {}
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(start + number / rate - time.time())
            group.create_task(_trigger(bench, sent))
    rows = await bench.system.ended(list(sent))
    runs = {row["flow_run_id"]: row["id"] for row in rows}
    query = "SELECT id, start_time FROM flow_run WHERE id = ANY($1)"
    flow_runs = await bench.system.rows("prefect", query, list(runs))
    waited = [each["start_time"].timestamp() - sent[runs[each["id"]]] for each in flow_runs]
    failed = sum(row["status"] != "success" for row in rows)
    name = "trigger to running, at half the load"
    bench.samples.add(name, OURS, waited, unit="s", errors=failed)
    bench.samples.remarks.append(f"loaded: {rate:.1f} runs a second arrived")


async def _trigger(bench: Bench, sent: dict[int, float]) -> None:
    before = time.time()
    sent[await bench.system.start(TWO)] = before


async def _rate(bench: Bench) -> float:
    """Runs finished a second, when the scenario `steady` has not said it."""
    async with kept_filled(bench.system, OurBacklog(bench.system, TWO, OUR_WAITING)) as window:
        await asyncio.sleep(5)
        start = time.time()
        await asyncio.sleep(10)
        return len(await window.ends(start, time.time())) / 10
