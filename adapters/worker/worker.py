"""The worker part: ``prefect worker start``, watched and really stopped."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from prefect.client.orchestration import get_client

from prefect_phantom.adapters.between.prefect.outage import prefect_dependency
from prefect_phantom.adapters.process.parent import PIPES, STOP_SECONDS, Parent
from prefect_phantom.adapters.process.private_program import command, secrets_apart
from prefect_phantom.adapters.process.process_marks import WORKER_VARIABLE, environment_of
from prefect_phantom.adapters.process.stop_signals import stop_event
from prefect_phantom.adapters.security.guessable import is_blank
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.gateway.name_hold import NameHold
from prefect_phantom.adapters.worker.gateway.playbook_reports import PlaybookReports
from prefect_phantom.adapters.worker.processes.program_output import ProgramOutput

KILLED_SECONDS = 5.0
POLL_SECONDS = {"phantom": "5", "process": "1"}
"""A worker of our type hears of work by hints; its poll only finds what a lost hint was about."""
logger = logging.getLogger("prefect_phantom.worker")


class Worker:
    """Runs ``prefect worker start`` as a child, and answers for the processes of its runs.

    At its start it takes its name, which only one process has, ends what an earlier one of that
    name has left and tells the gateway so. At
    its stop it freezes the stock worker, so that no further run is taken, gives the runs their
    grace, kills them with everything they started, and tells the gateway that too. When the process
    that started it has died it ends as if it had been killed as well: the guardian ends the runs.
    """

    def __init__(self, settings: Settings, parent: Parent | None = None) -> None:
        self.settings = settings
        self._parent = parent or Parent()
        self.name = settings.worker_name
        self.key = settings.runtime_key.get_secret_value() if settings.runtime_key else ""
        self.gateway = GatewayClient(url=settings.runtime_url or "", key=self.key, worker=self.name)
        self.playbooks = PlaybookReports(settings, self.gateway)
        secret = f"{self.name}\0{self.key}".encode()
        self.mark = {WORKER_VARIABLE: f"{self.name} {hashlib.sha256(secret).hexdigest()[:16]}"}
        self._hold = NameHold(self.gateway)
        self.orphaned = asyncio.Event()
        """Whoever started this worker has died."""

    async def run(self, stop: asyncio.Event) -> int:
        """Work until `stop` is set, or until Prefect's worker ends; return an exit code.

        Raises `GatewayRefused`: it does not take the key or what the worker reports, or another
        worker has the name.
        """
        os.environ.update(self.mark)
        if not await self._unless(stop, self._begin()):
            await self._hold.give_back()
            return 0
        reporting = asyncio.create_task(self.playbooks.run())
        # A pipe of our own, since asyncio would wait for the end of its pipe before it tells of the
        # program's end, and runs have inherited the other side.
        reader, writer = os.pipe()
        # Only we hold the other side of this one: it is Prefect's worker that reads our end.
        alive, ours = os.pipe()
        seconds = {"PREFECT_WORKER_QUERY_SECONDS": POLL_SECONDS[self.settings.worker_type]}
        with secrets_apart(seconds | os.environ | {PIPES: f"{alive},{alive},{alive}"}) as (
            environment,
            passed,
        ):
            program = await asyncio.create_subprocess_exec(
                *command(os.environ, "prefect_phantom.adapters.prefect", "worker", "start"),
                *("--pool", self.settings.work_pool, "--type", self.settings.worker_type),
                *("--name", self.name, *self._limit()),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                pass_fds=[alive, *passed],
                start_new_session=True,
            )
        os.close(writer)
        started = asyncio.Event()
        output = ProgramOutput(reader, lambda line: started.set() if "started!" in line else None)
        ready = asyncio.create_task(self._say_ready(started))
        stopping = asyncio.create_task(stop.wait())
        orphaned = asyncio.create_task(self.orphaned.wait())
        ended = asyncio.create_task(program.wait())
        lost = asyncio.create_task(self._hold.wait_lost())
        ends = {stopping, orphaned, lost, ended, reporting}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        is_refused = reporting.done()
        for task in (stopping, orphaned, reporting, ready):
            task.cancel()
        if self.orphaned.is_set() or lost.done():  # the gateway would take us for another one
            await self._abandon(program)
        elif not ended.done():
            await self._stop(program)
        await ended
        output.close()
        os.close(alive)
        os.close(ours)
        if lost.done():
            lost.result()
        lost.cancel()
        await self._hold.give_back()
        if is_refused:
            reporting.result()
        return 0 if stop.is_set() else 1

    async def _begin(self) -> None:
        """Take the place of whoever had the name, and wait until gateway and Prefect answer."""
        await self._hold.take()
        await self._kill(list(self._processes()))
        await self.gateway.started(self._hold.holder)
        async with get_client() as client:
            await prefect_dependency(client, logger).find()

    async def _unless(self, stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`; False when it is time to stop before it is done."""
        doing = asyncio.create_task(work)
        ends = [asyncio.create_task(end.wait()) for end in (stop, self.orphaned)]
        await asyncio.wait({doing, *ends}, return_when=asyncio.FIRST_COMPLETED)
        for task in (doing, *ends):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await doing
            return True
        return False

    async def _say_ready(self, started: asyncio.Event) -> None:
        """Say ``ready`` once runs are taken, and the gateway knows which playbooks are here."""
        await started.wait()
        await self.playbooks.known.wait()
        self._parent.say_ready()

    def _limit(self) -> list[str]:
        limit = self.settings.worker_limit
        if limit is None and self.settings.worker_type == "process":
            limit = 2 * (os.cpu_count() or 1)
        return [] if limit is None else ["--limit", str(limit)]

    async def _stop(self, program: asyncio.subprocess.Process) -> None:
        program.send_signal(signal.SIGSTOP)
        try:
            if self._runs(program):
                try:
                    await self.gateway.stopping(self._hold.holder)
                finally:
                    # Also when no gateway is left to be told: nothing of this worker stays behind.
                    runs = self._runs(program)
                    _signal_groups(runs, signal.SIGTERM)
                    await _wait(runs, self.settings.grace_seconds)
                    await self._kill(self._runs(program))
                await self.gateway.stopped(self._hold.holder)
        finally:
            with suppress(ProcessLookupError):
                program.kill()

    async def _abandon(self, program: asyncio.subprocess.Process) -> None:
        """Leave the runs to the guardian; return when all of it is over."""
        left = list(self._processes())
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if program.returncode is None:
                left = psutil.Process(program.pid).children(recursive=True)
                program.kill()
        await _wait(left, self.settings.grace_seconds + KILLED_SECONDS)
        await self._kill(list(self._processes()))

    def _runs(self, program: asyncio.subprocess.Process) -> list[psutil.Process]:
        return [process for process in self._processes() if process.pid != program.pid]

    def _processes(self) -> Iterator[psutil.Process]:
        """Every process that this worker's name has started, except this one and its parents."""
        own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                if process.pid not in own and self.mark.items() <= environment_of(process).items():
                    yield process

    async def _kill(self, processes: list[psutil.Process]) -> None:
        _signal_groups(processes, signal.SIGKILL)
        await _wait(processes, KILLED_SECONDS)


async def _wait(processes: list[psutil.Process], seconds: float) -> None:
    """Wait for the processes to end, most of which are nobody's children; at most `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for process in processes:
                await _ended(process)


async def _ended(process: psutil.Process) -> None:
    """Return when the process has ended, whoever has yet to collect it."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        # Its number may have been given to another one before the descriptor was opened.
        if process.is_running():
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _signal_groups(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Signal the processes and, where one leads its own group, everything in that group."""
    for process in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if not process.is_running():
                continue  # its number may be another one's by now
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)


async def run_worker(settings: Settings) -> int:
    """Run a worker until a signal that means stop; return its exit code."""
    key = settings.runtime_key
    if not settings.runtime_url or key is None or is_blank(key.get_secret_value()):
        message = "PREFECT_PHANTOM_RUNTIME_URL and PREFECT_PHANTOM_RUNTIME_KEY must be set"
        raise SystemExit(message)
    stop = stop_event()
    parent = Parent()
    worker = Worker(settings, parent)
    loop = asyncio.get_running_loop()
    parent.stop_after(
        lambda: loop.call_soon_threadsafe(worker.orphaned.set),
        seconds=settings.grace_seconds + STOP_SECONDS,
    )
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    try:
        return await worker.run(stop)
    except GatewayRefused as error:
        raise SystemExit(str(error)) from error
