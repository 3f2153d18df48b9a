"""Processes of runs: waiting for their end, ending them, and leaving nothing of them behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil

from prefect_phantom.adapters.process.process_marks import environment_of
from prefect_phantom.flows.process.guardian import process_tree
from prefect_phantom.flows.process.guardian.process_tree import FLOW_RUN, process_name

STARTING_SECONDS = 10.0
RUN_NAME = process_name("")


class RunProcess:
    """A process forked for one run or for many. Its parent, the worker, is told of its end."""

    def __init__(self, process_id: int) -> None:
        self.process_id = process_id
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stopping = False
        """Whether it was told to end, or is being killed."""
        self._descriptor = os.pidfd_open(process_id)
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        if self.stopping:
            # What is left of its group, whose number is another one's once it is collected.
            self._signal_group(signal.SIGKILL)
        _, status = os.waitpid(self.process_id, 0)
        self.ended.set_result(os.waitstatus_to_exitcode(status))

    async def wait(self) -> int:
        """Exit code of the process; negative for the signal that ended it."""
        return await asyncio.shield(self.ended)

    async def stop(self, grace_seconds: float) -> None:
        """Ask the process and all it started to end, and after the grace make them."""
        if self.stopping or self.ended.done():  # another process may have its number by now
            return
        self.stopping = True
        started = self._descendants()
        self._signal(started, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self.wait()
        await self._kill(started)

    async def kill(self) -> None:
        """End the process and all it started, at once."""
        self.stopping = True
        await self._kill(set())

    async def _kill(self, started: set[psutil.Process]) -> None:
        started = {*started, *self._descendants()}
        self._signal(started, signal.SIGKILL)
        await self.wait()
        await asyncio.to_thread(psutil.wait_procs, started, timeout=1)

    def _descendants(self) -> set[psutil.Process]:
        if self.ended.done():
            return set()
        with suppress(psutil.NoSuchProcess):
            return set(psutil.Process(self.process_id).children(recursive=True))
        return set()

    def _signal(self, started: set[psutil.Process], number: signal.Signals) -> None:
        # The run leads its own session; what it started may lead further ones.
        if not self.ended.done():
            self._signal_group(number)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process_id, number)


def end_orphans(known: Collection[int | None], running: Collection[UUID]) -> int:
    """Collect what has ended among our children, and kill what ended runs have left behind.

    `known` are children that others wait for; `running` are the flow runs under way. Returns how
    many were killed: their own children become ours now.
    """
    killed = 0
    for process_id in _children():
        if process_id not in known:
            with suppress(psutil.NoSuchProcess, ChildProcessError):
                killed += _end_orphan(psutil.Process(process_id), {str(each) for each in running})
    return killed


def _children() -> list[int]:
    own = os.getpid()
    return [int(text) for text in Path(f"/proc/{own}/task/{own}/children").read_text().split()]


def _end_orphan(process: psutil.Process, running: set[str]) -> bool:
    """Whether it was alive, and is killed."""
    if process.status() == psutil.STATUS_ZOMBIE:
        # It may be a run that ended so soon that its template has yet to tell of its start.
        seen = process_tree.read(process.pid)
        if seen is None or seen.age() < STARTING_SECONDS:
            return False
        os.waitpid(process.pid, os.WNOHANG)
        return False
    flow_run_id = environment_of(process).get(FLOW_RUN)
    # One that was forked has its run's name; one that then executed a program, its variable.
    names = {process_name(each) for each in running}
    is_runs = flow_run_id is not None or process.name().startswith(RUN_NAME)
    if not is_runs or flow_run_id in running or process.name() in names:
        return False
    process.kill()
    return True
