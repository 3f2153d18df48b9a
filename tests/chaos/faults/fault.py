"""What a fault is, and what it finds to work on."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.chaos.installation import Installation
from tests.chaos.journal import Journal
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a fault may reach."""

    system: Installation
    load: Load
    proxy: Proxy
    journal: Journal
    chance: random.Random

    def between(self, least: float, most: float) -> float:
        """A random number of seconds."""
        return self.chance.uniform(least, most)


class Fault:
    """One kind of fault. `inject` may last, `heal` takes back what does not heal by itself."""

    name: str
    mounts: bool = False
    """Whether it needs file systems of its own."""

    async def inject(self, scene: Scene) -> str:
        """Do the harm; return words about what was done."""
        raise NotImplementedError

    async def heal(self, scene: Scene) -> None:
        """Take back what was done."""
