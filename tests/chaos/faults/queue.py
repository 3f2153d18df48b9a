"""More runs than can be carried out, and a slot that is held by what was killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil

from tests.chaos.faults.fault import Fault, Scene
from tests.chaos.witness import Line

CROWD = int(os.environ.get("CHAOS_CROWD", "1000"))
KINDS_OF_CROWD = (
    *("plain", "one action", "import error", "import error"),
    *("cancel at once", "cancel at once", "cancel at once", "cancel at once"),
)
PATIENCE_SECONDS = 900


class Crowd(Fault):
    """Many runs at once behind few slots, most of them cancelled while they wait.

    With `kills`, one part after the other is killed while they come and are carried out.
    """

    def __init__(self, name: str, kills: Sequence[str] = ()) -> None:
        self.name = name
        self.kills = kills

    async def inject(self, scene: Scene) -> str:
        killing = asyncio.create_task(self._kill(scene))
        for number in range(CROWD):
            scene.load.begin(scene.chance.choice(KINDS_OF_CROWD))
            if number % 10 == 0:
                await asyncio.sleep(0.2)
        words = await killing
        await scene.load.over(PATIENCE_SECONDS)
        return f"{CROWD} runs{words}"

    async def _kill(self, scene: Scene) -> str:
        killed = []
        for part in scene.chance.sample(self.kills, len(self.kills)):
            await asyncio.sleep(scene.between(2, 10))
            if (process := scene.system.part(part)) is not None:
                process.kill()
                killed.append(part)
        return f", killed {killed}" if killed else ""


class CrowdWithoutPrefect(Fault):
    """Many runs are asked for while Prefect stands still; then it goes on, or is started anew."""

    name = "crowd while Prefect is stopped"

    async def inject(self, scene: Scene) -> str:
        process = scene.system.part("prefect")
        if process is None:
            return "not there"
        process.suspend()
        back = scene.chance.choice([process.resume, process.kill])
        lives = []
        try:
            for number in range(CROWD):
                lives.append(scene.load.begin(scene.chance.choice(("plain", "one action"))))
                if number % 10 == 0:
                    await asyncio.sleep(0.2)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not all(life.acked or life.refused for life in lives):
                    await asyncio.sleep(0.1)
        finally:
            with suppress(psutil.NoSuchProcess):
                back()
        acked = sum(life.acked is not None for life in lives)
        await scene.load.over(PATIENCE_SECONDS)
        return f"{acked} of {CROWD} acknowledged meanwhile, then {back.__name__}"


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


def _holders(scene: Scene, runs: Sequence[int | None]) -> Iterator[Line]:
    return (line for run in runs if run is not None for line in scene.system.witnesses.alive(run))


PARTS = ("gateway", "worker", "prefect", "postgres", "template")
FAULTS = (Crowd("crowd"), Crowd("crowd and kills", PARTS), CrowdWithoutPrefect(), HeldSlot())
