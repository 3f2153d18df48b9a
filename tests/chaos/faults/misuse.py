"""No part is broken here: callers cancel at every step, and playbooks misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tests.chaos.faults.fault import Fault, Scene
from tests.chaos.kinds import CANCELS, LIGHT, POISON


class Mix(Fault):
    """Other kinds of runs than usual are asked for, for a while."""

    def __init__(self, name: str, mix: Mapping[str, float], seconds: float) -> None:
        self.name = name
        self.mix = mix
        self.seconds = seconds

    async def inject(self, scene: Scene) -> str:
        scene.load.mix = self.mix
        await asyncio.sleep(self.seconds)
        return ", ".join(self.mix)

    async def heal(self, scene: Scene) -> None:
        scene.load.mix = LIGHT


FAULTS = (Mix("none", LIGHT, 5), Mix("cancels", CANCELS, 15), Mix("poison", POISON, 12))
