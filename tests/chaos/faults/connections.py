"""Connections that break: between commit and answer, and those that tell of news."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import socket
from contextlib import closing, suppress

import psutil

from tests.chaos.faults.fault import Fault, Scene

PIDFD_GETFD = 438
"""Number of the system call, the same on every architecture."""


class CutAnswers(Fault):
    """Half of all answers are lost on their way; callers ask again with the same key."""

    name = "cut answers"

    async def inject(self, scene: Scene) -> str:
        before = scene.proxy.lost
        scene.proxy.cut = 0.5
        await asyncio.sleep(scene.between(5, 12))
        return f"{scene.proxy.lost - before} answers lost"

    async def heal(self, scene: Scene) -> None:
        scene.proxy.cut = 0


class CutConnections(Fault):
    """Every connection of a part to a port of Prefect's or of the gateway's runtime is shut.

    That takes the websockets of events and the stream of hints, whichever way they are open.
    """

    def __init__(self, part: str) -> None:
        self.name = f"cut connections of {part}"
        self.part = part

    async def inject(self, scene: Scene) -> str:
        cut = 0
        for _ in range(scene.chance.randint(1, 4)):
            process = scene.system.part(self.part)
            if process is not None:
                cut += shut_connections(process.pid)
            await asyncio.sleep(scene.between(0, 2))
        return f"{cut} connections"


def shut_connections(process_id: int) -> int:
    """Shut down every established TCP connection of a process; return how many there were."""
    with suppress(psutil.NoSuchProcess):
        connections = psutil.Process(process_id).net_connections("tcp")
        numbers = [each.fd for each in connections if each.status == psutil.CONN_ESTABLISHED]
        return sum(_shut(process_id, number) for number in numbers)
    return 0


def _shut(process_id: int, number: int) -> bool:
    holder = os.pidfd_open(process_id)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, holder, number, 0)
        if copy < 0 and ctypes.get_errno() == errno.EBADF:
            return False  # closed meanwhile
        if copy < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        with closing(socket.socket(fileno=copy)) as connection, suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(holder)
    return True


FAULTS = (CutAnswers(), *(CutConnections(part) for part in ("gateway", "runner")))
