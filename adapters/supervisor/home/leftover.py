"""Processes of a home that outlived the `up` which started them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from prefect_phantom.adapters.process.process_marks import (
    HOME_VARIABLE,
    PART_VARIABLE,
    environment_of,
)
from prefect_phantom.adapters.supervisor.failure import CannotStart

DATABASE_PART = "PostgreSQL"
KILL_SECONDS = 5.0
DATABASE_SECONDS = {signal.SIGINT: 10.0, signal.SIGQUIT: 3.0, signal.SIGKILL: KILL_SECONDS}
"""Fast shutdown, immediate shutdown, kill; with the seconds each is given."""
ROUNDS = 5  # a process may fork between being found and being killed


@dataclass(frozen=True)
class Leftover:
    """One process, held by a descriptor so that its number cannot pass to another meanwhile."""

    pid: int
    parent: int
    part: str
    descriptor: int

    def send(self, number: signal.Signals) -> None:
        """Send a signal; to a process that is gone already it means nothing."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)

    async def gone(self) -> None:
        """Return when the process has ended."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.descriptor)

    def close(self) -> None:
        """Let go of the process."""
        os.close(self.descriptor)


def find_leftovers(home: Path, part: str | None = None) -> list[Leftover]:
    """Return the processes of `home` (of one part), without ourselves and our ancestors.

    One counts as ours when it is this user's (for root, anybody's) and carries both our marks, when
    it shares the session of such a process, or when it is PostgreSQL working in this home's data
    folder (its children overwrite their environment). The caller closes what is returned.
    """
    spared = {os.getpid(), *(ancestor.pid for ancestor in psutil.Process().parents())}
    processes = [p for p in psutil.process_iter() if p.pid not in spared and _is_own(p)]
    parts = {p: name for p in processes if (name := _marked(p, home) or _database(p, home))}
    sessions = {session: name for p, name in parts.items() if (session := _session(p.pid))}
    for pid in spared:
        sessions.pop(_session(pid), None)
    for process in processes:
        if process not in parts and (name := sessions.get(_session(process.pid))):
            parts[process] = name
    held = (_hold(process, name) for process, name in parts.items() if part in (None, name))
    return [leftover for leftover in held if leftover is not None]


async def end_leftovers(home: Path, part: str | None = None) -> int:
    """End what `find_leftovers` finds, PostgreSQL last and gently; return how many there were.

    Raises `CannotStart` when something does not even end by SIGKILL.
    """
    ended: set[int] = set()
    for _ in range(ROUNDS):
        leftovers = find_leftovers(home, part)
        if not leftovers:
            return len(ended)
        try:
            ended.update(leftover.pid for leftover in leftovers)
            await _end_others([each for each in leftovers if each.part != DATABASE_PART])
            await _end_database([each for each in leftovers if each.part == DATABASE_PART])
        finally:
            for leftover in leftovers:
                leftover.close()
    pids = ", ".join(str(pid) for pid in sorted(ended))
    raise CannotStart(f"Processes of an earlier start on {home} do not end: {pids}; end them first")


async def _end_others(leftovers: list[Leftover]) -> None:
    for leftover in leftovers:
        leftover.send(signal.SIGKILL)
    await _all_gone(leftovers, KILL_SECONDS)


async def _end_database(leftovers: list[Leftover]) -> None:
    pids = {leftover.pid for leftover in leftovers}
    for number, seconds in DATABASE_SECONDS.items():
        for leftover in leftovers:
            # The postmaster ends its children itself; to them the same signals mean other things.
            if number == signal.SIGKILL or leftover.parent not in pids:
                leftover.send(number)
                leftover.send(signal.SIGCONT)
        if await _all_gone(leftovers, seconds):
            return


async def _all_gone(leftovers: Iterable[Leftover], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for leftover in leftovers:
                await leftover.gone()
    except TimeoutError:
        return False
    return True


def _is_own(process: psutil.Process) -> bool:
    try:
        # A worker of another user's is started by root, who may end it.
        own = os.getuid() in {0, process.uids().real}
        return own and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False  # ended meanwhile, or not ours to look at


def _marked(process: psutil.Process, home: Path) -> str | None:
    try:
        environment = environment_of(process)
    except (psutil.Error, OSError):
        return None
    return environment.get(PART_VARIABLE) if environment.get(HOME_VARIABLE) == str(home) else None


def _database(process: psutil.Process, home: Path) -> str | None:
    try:
        working = Path(process.cwd()) if process.name() == "postgres" else None
    except (psutil.Error, OSError):
        return None
    folder = home / "postgres"
    return DATABASE_PART if working and working.is_relative_to(folder) else None


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _hold(process: psutil.Process, part: str) -> Leftover | None:
    try:
        parent = process.ppid()
        descriptor = os.pidfd_open(process.pid)
    except (psutil.Error, OSError):
        return None
    if process.is_running():  # compares the start time: the descriptor is of the process we saw
        return Leftover(process.pid, parent, part, descriptor)
    os.close(descriptor)
    return None
