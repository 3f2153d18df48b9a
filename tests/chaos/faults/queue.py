"""More runs than can be carried out, and a slot that is held by what was killed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from tests.chaos.faults.fault import Fault, Scene

CROWD = int(os.environ.get("CHAOS_CROWD", "1000"))
KINDS_OF_CROWD = ("plain", "cancel at once", "cancel at once", "one action")
PATIENCE_SECONDS = 900


class Crowd(Fault):
    """Many runs at once behind few slots; half of them are cancelled while they wait."""

    name = "crowd"

    async def inject(self, scene: Scene) -> str:
        for number in range(CROWD):
            scene.load.begin(scene.chance.choice(KINDS_OF_CROWD))
            if number % 20 == 0:
                await asyncio.sleep(0.1)
        await scene.load.over(PATIENCE_SECONDS)
        return f"{CROWD} runs"


class HeldSlot(Fault):
    """A run that holds the only slot of its deployment's limit is killed."""

    name = "held slot"

    async def inject(self, scene: Scene) -> str:
        deployment = await scene.system.prefect("GET", "/deployments/name/limited/local")
        path = f"/deployments/{deployment['id']}"
        await scene.system.prefect("PATCH", path, {"concurrency_limit": 1})
        lives = [scene.load.begin("limited") for _ in range(3)]
        async with asyncio.timeout(60):
            while not (line := next(_holders(scene, [life.id for life in lives]), None)):
                await asyncio.sleep(0.1)
        with suppress(ProcessLookupError):
            os.kill(line.process_id, signal.SIGKILL)
        return f"run {line.run}"


def _holders(scene: Scene, runs: list[int | None]):
    return (line for run in runs if run is not None for line in scene.system.witnesses.alive(run))


FAULTS = (Crowd(), HeldSlot())
