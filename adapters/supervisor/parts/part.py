"""One part of an installation: a process that is started, watched, restarted and stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from prefect_phantom.adapters.process.private_program import secrets_apart
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.account import Account
from prefect_phantom.adapters.supervisor.home.leftover import end_leftovers
from prefect_phantom.adapters.supervisor.logs.log import Log
from prefect_phantom.adapters.supervisor.logs.logs import Logs
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A process that lived this long has earned the shortest delay again."""
PROBE_SECONDS = 0.1
FORCE_SECONDS = 1.0


class State(StrEnum):
    """Where a part stands."""

    STARTING = "starting"
    READY = "ready"
    ENDED = "ended"
    STOPPING = "stopping"
    STOPPED = "stopped"


Report = Callable[[str, State, str], None]
"""Told of every change: name of the part, its state, and words about it (may be empty)."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How a part is run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Log
    ready: Callable[[], Awaitable[bool]] | None
    """Asks once whether the part does its work; None where it says so itself."""
    advice: str
    """What to do when it cannot start, as the end of a sentence."""
    start_seconds: float | None = 180.0
    """Longest time from process to ready; None waits as long as the process lives."""
    account: Account | None = None
    """As whom it is run; None is as ourselves."""
    stop_signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGKILL)
    """Sent one after the other, while the process does not end."""


class Part:
    """Owns the process of a `Definition` between `start` and `stop`."""

    def __init__(
        self, definition: Definition, home: Path, report: Report, pipes: Pipes, logs: Logs
    ) -> None:
        self.name = definition.name
        self._definition = definition
        self._home = home
        self._report = report
        self._pipes = pipes
        self._logs = logs
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process and return when it is ready; from then on it is restarted.

        Raises `CannotStart` when it ends before, or takes too long.
        """
        self._report(self.name, State.STARTING, "")
        try:
            process = await self._launch()
            await self._until_ready(process)
        except CannotStart:
            self._report(self.name, State.ENDED, "")
            raise
        self._report(self.name, State.READY, "")
        self._watching = asyncio.create_task(self._watch(process), name=f"watch {self.name}")

    async def stop(self, deadline: float) -> None:
        """End the process and whatever it left, by force after `deadline` (event loop time)."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        process = self._process
        if process is not None and process.returncode is None:
            self._report(self.name, State.STOPPING, "")
            await self._end(process, deadline)
            self._report(self.name, State.STOPPED, "")
        await end_leftovers(self._home, self.name)

    async def _end(self, process: Process, deadline: float) -> None:
        for number in self._definition.stop_signals:
            with suppress(ProcessLookupError):
                process.send_signal(number)
            if await _ended(process, deadline):
                return
            deadline = asyncio.get_running_loop().time() + FORCE_SECONDS

    async def _launch(self) -> Process:
        log = self._definition.log
        try:
            await self._logs.flush()
            log.begin()
            self._pipes.says_ready(self.name)  # the process before may have
            with (
                secrets_apart(self._definition.environment) as (environment, passed),
                self._ownership() as ownership,
            ):
                # Its own session: a Ctrl-C in the terminal reaches us alone, and we stop the
                # parts in their order.
                self._process = await asyncio.create_subprocess_exec(
                    *self._definition.command,
                    stdin=DEVNULL,
                    stdout=self._logs.writer(log.path),
                    stderr=STDOUT,
                    env=environment | self._pipes.environment(self.name),
                    pass_fds=[*self._pipes.descriptors(self.name), *passed],
                    **ownership,
                    start_new_session=True,
                )
        except OSError as error:
            raise self._failure(str(error)) from error
        return self._process

    @contextmanager
    def _ownership(self) -> Iterator[dict[str, Any]]:
        """Whose the process is, and where it works."""
        account = self._definition.account
        if account is None:
            yield {"cwd": self._home}
            return
        with account.opened() as folder:
            yield {
                "cwd": folder,
                "user": account.user,
                "group": account.group,
                "extra_groups": account.groups,
            }

    async def _until_ready(self, process: Process) -> None:
        ended = asyncio.ensure_future(process.wait())
        try:
            async with asyncio.timeout(self._definition.start_seconds):
                while not await self._is_ready():
                    # Nothing tells us when a port begins to answer, but an end is noticed at once.
                    await asyncio.wait({ended}, timeout=PROBE_SECONDS)
                    if ended.done():
                        await self._logs.flush()
                        raise self._failure(self._definition.log.last_words())
        except TimeoutError as error:
            seconds = f"{self._definition.start_seconds:.0f} s"
            raise self._failure(f"it was not ready within {seconds}") from error
        finally:
            ended.cancel()

    async def _is_ready(self) -> bool:
        ready = self._definition.ready
        return self._pipes.says_ready(self.name) if ready is None else await ready()

    async def _watch(self, process: Process) -> None:
        delay = FIRST_DELAY_SECONDS
        while True:
            started = time.monotonic()
            await process.wait()
            if time.monotonic() - started > STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self._report(self.name, State.ENDED, f"{_end(process)}; starts again in {delay:g} s")
            try:
                await end_leftovers(self._home, self.name)  # such as runs of a dead worker
                await asyncio.sleep(delay)
                process = await self._launch()
                await self._until_ready(process)
            except Exception as error:  # noqa: BLE001 - whatever it is, the part is to start again
                words = str(error) if isinstance(error, CannotStart) else repr(error)
                self._report(self.name, State.ENDED, words)
                if process.returncode is None:
                    process.kill()
            else:
                self._report(self.name, State.READY, "")
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    def _failure(self, reason: str) -> CannotStart:
        definition = self._definition
        return CannotStart(
            f"{self.name} cannot start: {reason.rstrip('.')}; {definition.advice}"
            f" (log: {definition.log.path})"
        )


async def _ended(process: Process, deadline: float) -> bool:
    try:
        async with asyncio.timeout_at(deadline):
            await process.wait()
    except TimeoutError:
        return False
    return True


def _end(process: Process) -> str:
    code = process.returncode or 0
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
