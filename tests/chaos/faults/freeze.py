"""SIGSTOP for a while, then SIGCONT: alive for the kernel, dead for everyone else."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import psutil

from tests.chaos.faults.fault import Fault, Scene
from tests.chaos.faults.kill import living_runs

LEASE_SECONDS = 60


class Freeze(Fault):
    """Freeze a part for some seconds."""

    def __init__(self, part: str, least: float = 2, most: float = 12, name: str = "") -> None:
        self.name = name or f"freeze {part}"
        self.part = part
        self.least, self.most = least, most

    async def inject(self, scene: Scene) -> str:
        process = scene.system.part(self.part)
        if process is None:
            return "not there"
        seconds = scene.between(self.least, self.most)
        process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        return f"process {process.pid} for {seconds:.1f} s"


class FreezeRun(Fault):
    """Freeze the processes of runs under way for some seconds."""

    name = "freeze run"

    async def inject(self, scene: Scene) -> str:
        lines = living_runs(scene)[:4]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for line in lines:
                with suppress(ProcessLookupError):
                    os.kill(line.process_id, number)
            if number == signal.SIGSTOP:
                await asyncio.sleep(scene.between(2, 10))
        return f"of runs {[line.run for line in lines]}"


PARTS = ("up", "gateway", "lease server", "worker", "runner", "template", "guardian", "prefect")
FAULTS = (
    *(Freeze(part) for part in PARTS),
    FreezeRun(),
    Freeze("gateway", LEASE_SECONDS + 10, LEASE_SECONDS + 20, "freeze gateway past a lease"),
    # Past its lease: what it held has been given up when it wakes.
    Freeze("runner", LEASE_SECONDS + 10, LEASE_SECONDS + 20, "freeze runner past its lease"),
)
