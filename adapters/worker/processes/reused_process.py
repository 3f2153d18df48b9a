"""One reused process, and each of its runs as the worker sees a forked one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psutil

from prefect_phantom.adapters.worker.processes.channel import Channel
from prefect_phantom.adapters.worker.processes.run_process import RunProcess
from prefect_phantom.adapters.worker.processes.templates import Code

MEGABYTE = 1_000_000


class ReusedProcess:
    """A process that carries out runs of one playbook, one after the other."""

    def __init__(
        self, process: RunProcess, channel: Channel, code: Code, environment: dict[str, str]
    ) -> None:
        self.process = process
        self.code = code
        self.environment = environment
        self.runs = 0
        """How many it was given."""
        self._channel = channel

    def memory_megabytes(self) -> float:
        """What it holds now, with what it shares with its template."""
        return float(psutil.Process(self.process.process_id).memory_info().rss) / MEGABYTE

    async def carry_out(self, request: dict[str, Any]) -> tuple[int, bool]:
        """Carry out a run; return its exit code, and whether the process may be given another.

        A process that dies of the run has that code for its own.
        """
        self.runs += 1
        asking = asyncio.create_task(self._channel.ask(request))
        either: list[asyncio.Future[Any]] = [asking, self.process.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            # Something that it forked may hold the channel open for long.
            asking.cancel()
            return await self.process.wait(), False
        try:
            answer = asking.result()
        except (ConnectionError, asyncio.IncompleteReadError):
            return await self.process.wait(), False
        at_hand = not (self.process.stopping or self.process.ended.done())
        return answer["code"], answer["reusable"] and at_hand

    def end(self) -> None:
        """Let an idle process end itself: it sees that nobody will ask it for more."""
        self.process.stopping = True
        self._channel.close()

    async def kill(self) -> None:
        """End the process and all that it has started."""
        await self.process.kill()
        self._channel.close()


class ReusedRun:
    """A run in a reused process. It ends when the process says so, or with the process."""

    def __init__(
        self,
        process: ReusedProcess,
        request: dict[str, Any],
        give_back: Callable[[ReusedProcess], bool],
    ) -> None:
        self.process_id = process.process.process_id
        self._process = process
        self._give_back = give_back
        self._ending = asyncio.create_task(self._carry_out(request))

    async def wait(self) -> int:
        """Exit code of the run, or that of its process; negative for the signal that ended it."""
        return await asyncio.shield(self._ending)

    async def stop(self, grace_seconds: float) -> None:
        """Ask the process and all it started to end, and after the grace make them.

        Once the run has ended the process is no longer its own, and may be another run's.
        """
        if not self._ending.done():
            await self._process.process.stop(grace_seconds)

    async def _carry_out(self, request: dict[str, Any]) -> int:
        code, reusable = await self._process.carry_out(request)
        if not reusable or not self._give_back(self._process):
            await self._process.kill()
        return code
