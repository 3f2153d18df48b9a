"""Cancel to dead: from the POST to the moment when the run's process is gone."""

from __future__ import annotations

import asyncio
import time

import psutil

from tests.benchmarks.installation import Installation
from tests.benchmarks.samples import OURS, Samples

CANCELS = 10


async def cancels(system: Installation, samples: Samples) -> None:
    """Cancel runs that sleep, one after the other, and weigh their processes before."""
    for _ in range(CANCELS):
        run = await system.start("examples/wait", seconds=600)
        process = psutil.Process(await _process_id(system, run))
        await asyncio.sleep(0.3)  # it is in its sleep by now
        memory = process.memory_full_info()
        samples.add("memory of one run process, private", OURS, [memory.uss / 2**20], unit="MB")
        path, body = f"/rest/playbook_run/{run}", {"cancel": True}
        sent = time.monotonic()
        request = asyncio.create_task(system.gateway.post(path, json=body))
        async with asyncio.timeout(30):
            while _alive(process):
                await asyncio.sleep(0.001)
        samples.add("cancel to dead", OURS, [(time.monotonic() - sent) * 1000], unit="ms")
        (await request).raise_for_status()
        await system.ended([run])


async def _process_id(system: Installation, run: int) -> int:
    query = "SELECT process_id FROM playbook_runs WHERE id = $1 AND process_id IS NOT NULL"
    async with asyncio.timeout(30):
        while not (rows := await system.rows("phantom", query, run)):
            await asyncio.sleep(0.05)
    return int(rows[0]["process_id"])


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
