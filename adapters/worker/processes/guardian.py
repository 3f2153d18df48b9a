"""The worker's side of its guardian: a process that answers for its runs when it cannot."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from prefect_phantom.flows.inside.log.log_format import SETTING
from prefect_phantom.flows.process.guardian import PROGRAM

PING_SECONDS = 5.0
SILENCE_SECONDS = 20.0
"""A guardian that has not answered for so long is ended, and another one takes its place."""
RESTART_SECONDS = 0.5
INHERITED = ("LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE", SETTING)
"""What it sees of the environment: nothing by which a worker's own processes are known."""
logger = logging.getLogger("prefect_phantom.guardian")


class Guardian:
    """Keeps one guardian process, and tells it of each run. Either notices the other's end."""

    def __init__(self, *, url: str, key: str, worker: str) -> None:
        self._orders = {"url": url, "key": key, "worker": worker, "watched": [os.getpid()]}
        self._runs: dict[UUID, dict[str, Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._started = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self.process_id: int | None = None

    async def start(self) -> None:
        """Start the process; return when it answers."""
        self._keeping = asyncio.create_task(self._keep())
        await self._started.wait()

    async def close(self) -> None:
        """Leave the process alone: it ends, and before that whatever run is left."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    def guard(self, flow_run_id: UUID, process_id: int, grace_seconds: float) -> None:
        """Answer for a run that this process leads."""
        order = {"run": str(flow_run_id), "process_id": process_id, "grace_seconds": grace_seconds}
        self._runs[flow_run_id] = order
        self._tell(order)

    def release(self, flow_run_id: UUID) -> None:
        """The run has ended, and so have its processes."""
        if self._runs.pop(flow_run_id, None) is not None:
            self._tell({"ended": str(flow_run_id)})

    def _tell(self, order: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(_line(order))

    async def _keep(self) -> None:
        while True:
            try:
                async with self._process() as answers:
                    await self._converse(answers)
            except Exception:  # such as no memory at the moment: runs must not be left without it
                logger.exception("The guardian of this worker's runs cannot be started yet")
            else:
                logger.error("The guardian of this worker's runs has ended; another one is started")
            await asyncio.sleep(RESTART_SECONDS)

    async def _converse(self, answers: asyncio.StreamReader) -> None:
        """Ask for signs of life until there is none."""
        while True:
            self._tell({"ping": True})
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    if not await answers.readline():
                        return
            except (TimeoutError, ConnectionError):
                return
            self._started.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await answers.read(1)  # it says nothing unasked, so this is its end
                    return

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[asyncio.StreamReader]:
        ours, theirs = socket.socketpair()
        try:
            # Told before it exists: from its first moment on it knows what to do without us.
            orders = (self._orders, *self._runs.values())
            ours.sendall(b"".join(_line(order) for order in orders))
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", PROGRAM, str(theirs.fileno())),
                    pass_fds=[theirs.fileno()],
                    env={name: os.environ[name] for name in INHERITED if name in os.environ},
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        self.process_id = process.pid
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        cancelled = False
        try:
            yield reader
        except asyncio.CancelledError:
            cancelled = True  # it sees that we are gone, and may have work to do
            raise
        finally:
            # Only one may answer for the runs, and this one does not.
            if not cancelled:
                if process.returncode is None:
                    process.kill()
                await process.wait()
            self._writer.close()
            self._writer = None


def _line(order: dict[str, Any]) -> bytes:
    return json.dumps(order).encode() + b"\n"
