"""The database restarts, is away, or hangs."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import psutil

from tests.chaos.faults.fault import Fault, Scene

OUTAGE_SECONDS = 30


def _restart(scene: Scene) -> str:
    server = scene.system.part("postgres")
    if server is None:
        return "not there"
    server.send_signal(signal.SIGINT)  # fast shutdown: every connection is closed at once
    return f"process {server.pid}"


class Restart(Fault):
    """A fast shutdown; `up` starts it again."""

    name = "restart postgres"

    async def inject(self, scene: Scene) -> str:
        return _restart(scene)


class Outage(Fault):
    """A fast shutdown, and for 30 s it does not start again: its folder is somewhere else."""

    name = "postgres away 30 s"

    async def inject(self, scene: Scene) -> str:
        data = scene.system.home / "postgres" / "data"
        away = data.with_name("away")
        data.rename(away)  # the server works in it by its descriptor, not by its name
        try:
            words = _restart(scene)
            await asyncio.sleep(OUTAGE_SECONDS)
        finally:
            away.rename(data)
        return words


class Hang(Fault):
    """Every process of the server stands still: connections are open and nobody answers."""

    name = "postgres hangs"

    async def inject(self, scene: Scene) -> str:
        server = scene.system.part("postgres")
        if server is None:
            return "not there"
        seconds = scene.between(3, 30)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        await asyncio.sleep(seconds)
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
        return f"{len(processes)} processes for {seconds:.1f} s"


FAULTS = (Restart(), Outage(), Hang())
