"""Cancel to dead: from the POST to the moment when the run's processes are gone."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import Installation
from tests.benchmarks.samples import Samples
from tests.benchmarks.sides import OURS

WAIT, BLOCKED = "examples/wait", "local/blocked"
KINDS = {
    "asleep": (WAIT, 80),
    "in a blocking C call": (BLOCKED, 60),
    "with grandchildren": ("local/grandchildren", 60),
}
QUICK = 4
GRACE_SECONDS, LATE_SECONDS = 5.0, 2.0
LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Victim:
    """A run under way with all its processes."""

    id: int
    process: psutil.Process
    tree: list[psutil.Process]


async def cancel(bench: Bench) -> None:
    """Cancel runs of three kinds, and see that their slots are free again."""
    system, slots = bench.system, await bench.system.slots()
    for kind, (playbook, count) in KINDS.items():
        left = QUICK if bench.quick else count
        # What waits for the whole grace is cancelled several at once, the others one by one.
        at_once = slots if playbook == BLOCKED else 1
        while left > 0:
            victims = [_begin(system, playbook) for _ in range(min(at_once, left))]
            running = await asyncio.gather(*victims)
            await asyncio.gather(*(_cancel(system, bench.samples, kind, run) for run in running))
            left -= len(victims)
    await _slots_are_back(system, bench.samples, slots)


async def _begin(system: Installation, playbook: str) -> Victim:
    with tempfile.TemporaryDirectory(dir=system.home.parent) as folder:
        file = Path(folder) / "there"
        run = await system.start(playbook, seconds=600, file=str(file))
        process = psutil.Process((await system.claimed([run]))[0]["process_id"])
        if playbook == WAIT:
            await asyncio.sleep(0.3)  # it does not say when it sleeps: by now
        else:
            async with asyncio.timeout(30):
                while not file.exists():
                    await asyncio.sleep(0.01)
    return Victim(run, process, [process, *process.children(recursive=True)])


async def _cancel(system: Installation, samples: Samples, kind: str, victim: Victim) -> None:
    sent = time.time()
    path, body = f"/rest/playbook_run/{victim.id}", {"cancel": True}
    request = asyncio.create_task(system.gateway.post(path, json=body))
    dead = await _gone([victim.process]) - sent
    all_dead = await _gone(victim.tree) - sent
    (await request).raise_for_status()
    row = (await system.ended([victim.id]))[0]
    name = f"cancel to dead, {kind}"
    samples.add(name, OURS, [1000 * dead])
    late = all_dead > GRACE_SECONDS + LATE_SECONDS
    samples.add(f"{name}, all its processes", OURS, [1000 * all_dead], errors=late)
    said = row["end_time"].timestamp() - sent
    # What is seen here is seen after it was so, by up to one look.
    false = not row["cancelled"] or said < all_dead - 10 * LOOK_SECONDS
    samples.add(f"cancel to said so, {kind}", OURS, [1000 * said], errors=false)


async def _gone(processes: list[psutil.Process]) -> float:
    """Time at which all of them have ended."""
    async with asyncio.timeout(60):
        while any(_alive(process) for process in processes):
            await asyncio.sleep(LOOK_SECONDS)
    return time.time()


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def _slots_are_back(system: Installation, samples: Samples, slots: int) -> None:
    """As many runs as there are slots are under way at once."""
    runs = [await system.start(WAIT, seconds=600) for _ in range(slots)]
    start = time.monotonic()
    missing = 0
    try:
        await system.claimed(runs, seconds=20)
    except TimeoutError:
        missing = 1
    taken = time.monotonic() - start
    samples.add("all slots taken again after the cancels", OURS, [taken], unit="s", errors=missing)
    for run in runs:
        await system.gateway.post(f"/rest/playbook_run/{run}", json={"cancel": True})
    await system.ended(runs)
