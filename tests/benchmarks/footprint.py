"""What each part costs while nothing happens: CPU and memory."""

from __future__ import annotations

import asyncio
import time

import psutil

from tests.benchmarks.installation import Installation
from tests.benchmarks.samples import OURS, Samples

IDLE_SECONDS = 10
PARTS = ("gateway", "worker", "Prefect server", "PostgreSQL")


async def footprint(system: Installation, samples: Samples) -> None:
    """Percent of one core over some seconds, and the memory of each part, templates included."""
    await asyncio.sleep(3)  # what the last scenario has left to do
    processes = {part: list(system.part(part)) for part in PARTS}
    before, start = _seconds(processes), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    after, elapsed = _seconds(processes), time.monotonic() - start
    percent = {part: 100 * (after[part] - before[part]) / elapsed for part in PARTS}
    together = percent["gateway"] + percent["worker"]
    samples.add("idle CPU, gateway and worker", OURS, [together], unit="%")
    for part in PARTS:
        samples.add(f"idle CPU, {part}", OURS, [percent[part]], unit="%")
    for part in PARTS:
        memory = [process.memory_full_info() for process in processes[part]]
        shared = sum(each.pss for each in memory) / 2**20
        samples.add(f"memory, {part} (PSS)", OURS, [shared], unit="MB")
    for process in processes["worker"]:
        if "flows.warm" in " ".join(process.cmdline()):
            private = process.memory_full_info().uss / 2**20
            samples.add("memory of one template, private", OURS, [private], unit="MB")


def _seconds(processes: dict[str, list[psutil.Process]]) -> dict[str, float]:
    return {
        part: sum(sum(process.cpu_times()[:2]) for process in found)
        for part, found in processes.items()
    }
