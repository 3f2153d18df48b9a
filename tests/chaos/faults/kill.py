"""SIGKILL of a part, or of the process of a run."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import psutil

from tests.chaos.faults.fault import Fault, Scene
from tests.chaos.witness import Line


class Kill(Fault):
    """Kill a part that `up` then starts again."""

    def __init__(self, part: str) -> None:
        self.name = f"kill {part}"
        self.part = part

    async def inject(self, scene: Scene) -> str:
        process = scene.system.part(self.part)
        if process is None:
            return "not there"
        process.kill()
        return f"process {process.pid}"


class KillUp(Fault):
    """Kill `up` itself, and after a while start it again on the same home."""

    name = "kill up"

    async def inject(self, scene: Scene) -> str:
        assert scene.system.up is not None
        scene.system.up.kill()
        scene.system.up.wait()
        await asyncio.sleep(scene.between(0, 4))
        return f"process {scene.system.up.pid}"

    async def heal(self, scene: Scene) -> None:
        await scene.system.start()


class KillRun(Fault):
    """Kill the processes of one or more runs that are under way."""

    name = "kill run"

    async def inject(self, scene: Scene) -> str:
        killed = []
        for _ in range(scene.chance.randint(1, 6)):
            for line in living_runs(scene)[:2]:
                with suppress(ProcessLookupError):
                    os.kill(line.process_id, signal.SIGKILL)
                    killed.append(line.run)
            await asyncio.sleep(scene.between(0, 1))
        return f"of runs {killed}"


def living_runs(scene: Scene) -> list[Line]:
    """One line of each run whose process lives, in random order."""
    recent = [life.id for life in scene.journal.lives[-400:] if life.id is not None]
    lines = [
        line for run in recent for line in scene.system.witnesses.alive(run) if line.what != "child"
    ]
    scene.chance.shuffle(lines)
    return lines


class KillEverything(Fault):
    """Kill all processes of the home at once, as a machine that loses power, and start again."""

    name = "kill everything"

    async def inject(self, scene: Scene) -> str:
        assert scene.system.up is not None
        scene.system.up.kill()
        scene.system.up.wait()
        processes = list(scene.system.processes())
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return f"{len(processes)} processes"

    async def heal(self, scene: Scene) -> None:
        await scene.system.start()


PARTS = (
    "gateway",
    "lease server",
    "worker",
    "runner",
    "template",
    "guardian",
    "prefect",
    "postgres",
)
FAULTS = (*(Kill(part) for part in PARTS), KillRun(), KillUp(), KillEverything())
