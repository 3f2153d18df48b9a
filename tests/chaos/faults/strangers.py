"""Strangers, who have no credentials, send what once ended every run."""

from __future__ import annotations

import asyncio

from tests.chaos.faults.fault import Fault, Scene
from tests.chaos.strangers.rows import KILLERS
from tests.chaos.strangers.sending import sending


class Strangers(Fault):
    """Bodies of 62 MB without credentials, and more idle connections than the usual limit."""

    name = "strangers"

    async def inject(self, scene: Scene) -> str:
        system = scene.system
        contract, runtime = ("127.0.0.1", system.port), ("127.0.0.1", system.runtime_port)
        with sending(KILLERS, contract=contract, runtime=runtime, share=1.0) as sent:
            await asyncio.sleep(scene.between(15, 40))
        return ", ".join(f"{count} {answer}" for answer, count in sent.answers.items())


FAULTS = (Strangers(),)
