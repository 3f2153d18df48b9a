"""What each part costs while nothing happens: CPU and memory."""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.bench import Bench
from tests.benchmarks.cpu import GATEWAY, PARTS, RUNS, TEMPLATES, WORKER, processes, used
from tests.benchmarks.installation import REUSED, TWO
from tests.benchmarks.sides import OURS

SECONDS, QUICK_SECONDS = 20, 5
MEGABYTE = 2**20


async def idle(bench: Bench) -> None:
    """Percent of one core, and megabytes, after two playbooks have run and are kept warm."""
    system, samples = bench.system, bench.samples
    await system.ended([await system.start(playbook) for playbook in (TWO, REUSED)])
    await asyncio.sleep(3)  # what these have left to do
    before, start = used(system), time.monotonic()
    await asyncio.sleep(QUICK_SECONDS if bench.quick else SECONDS)
    spent, elapsed = used(system), time.monotonic() - start
    spent.subtract(before)
    together = spent[GATEWAY] + spent[WORKER] + spent[TEMPLATES] + spent[RUNS]
    samples.add("idle CPU, gateway and worker", OURS, [100 * together / elapsed], unit="%")
    for part in PARTS:
        samples.add(f"idle CPU, {part}", OURS, [100 * spent[part] / elapsed], unit="%")
    _memory(bench)


def _memory(bench: Bench) -> None:
    """Proportional shares by part; of the gateway and of each warm process what is asked for."""
    found = [(part, each, each.memory_full_info()) for part, each in processes(bench.system)]
    for part in PARTS:
        shares = [memory.pss for of, _, memory in found if of == part]
        name = f"memory, {part}, proportional"
        bench.samples.add(name, OURS, [sum(shares) / MEGABYTE], unit="MB")
    templates = {process.pid for part, process, _ in found if part == TEMPLATES}
    for part, process, memory in found:
        if part == GATEWAY:
            name, size = "memory, gateway, resident", memory.rss
        elif part == RUNS or process.ppid() in templates:  # all but the first template
            name, size = "memory, each further warm process, private", memory.uss
        else:
            continue
        bench.samples.add(name, OURS, [size / MEGABYTE], unit="MB")
