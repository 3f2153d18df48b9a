"""The worker's side of warm execution: template processes, and the runs that they fork."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from array import array
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from flows.warm.message import PREFIX, length_of, pack

START_SECONDS = 60


class TemplateFailed(Exception):
    """A template process cannot be had: the playbook does not import, or the process died."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a playbook, as a deployment names it, and a mark that changes when it does."""

    entrypoint: str
    folder: str | None
    mark: float

    @classmethod
    def of(cls, entrypoint: str, folder: str | None) -> Code:
        """The code as it lies on disk now."""
        files = Path(folder).rglob("*.py") if folder else ()
        return cls(entrypoint, folder, max((file.stat().st_mtime for file in files), default=0.0))


class RunProcess:
    """A forked run. Its parent is this worker, which is told of its end by the kernel."""

    def __init__(self, process_id: int) -> None:
        self.process_id = process_id
        self.ended = asyncio.get_running_loop().create_future()
        self._descriptor = os.pidfd_open(process_id)
        asyncio.get_running_loop().add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        _, status = os.waitpid(self.process_id, 0)
        self.ended.set_result(os.waitstatus_to_exitcode(status))

    async def wait(self) -> int:
        """Exit code of the process; negative for the signal that ended it."""
        return int(await asyncio.shield(self.ended))

    async def stop(self, grace_seconds: float) -> None:
        """Ask the process and all it started to end, and after the grace make them."""
        started = self._descendants()
        self._signal(started, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self.wait()
        started = {*started, *self._descendants()}
        self._signal(started, signal.SIGKILL)
        await self.wait()
        await asyncio.to_thread(psutil.wait_procs, started, timeout=1)

    def _descendants(self) -> set[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return set(psutil.Process(self.process_id).children(recursive=True))
        return set()

    def _signal(self, started: set[psutil.Process], number: signal.Signals) -> None:
        # The run leads its own session; what it started may lead further ones.
        with suppress(ProcessLookupError):
            os.killpg(self.process_id, number)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


class Templates:
    """Template processes by playbook, made when first needed and again when code changes."""

    def __init__(self) -> None:
        self._first: _Channel | None = None
        self._program: asyncio.subprocess.Process | None = None
        self._channels: dict[tuple[str, str | None], tuple[Code, _Channel]] = {}
        self._making = asyncio.Lock()

    async def fork(self, code: Code, request: dict[str, Any]) -> RunProcess:
        """Fork a process for a run: ``{flow_run, related, environment}``.

        Raises:
            TemplateFailed: the playbook does not import, or its template died twice.
        """
        for last in (False, True):
            channel = await self._channel(code)
            try:
                answer = await channel.ask(request)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self._channels.pop((code.entrypoint, code.folder), None)
                if last:
                    message = f"The template process of {code.entrypoint} died"
                    raise TemplateFailed(message) from error
            else:
                return RunProcess(answer["process_id"])
        raise AssertionError

    @property
    def process_id(self) -> int | None:
        """Of the first template process; None before it was started."""
        return None if self._program is None else self._program.pid

    async def start(self) -> None:
        """Start the first template process, so that the first run finds it warm."""
        async with self._making:
            await self._ensure_first()

    async def close(self) -> None:
        """End the template processes. Runs go on."""
        for _, channel in self._channels.values():
            channel.close()
        self._channels.clear()
        if self._first is not None and self._program is not None:
            self._first.close()
            await self._program.wait()

    async def _channel(self, code: Code) -> _Channel:
        async with self._making:
            key = (code.entrypoint, code.folder)
            known = self._channels.get(key)
            if known is not None and known[0] == code:
                return known[1]
            if known is not None:
                known[1].close()
                del self._channels[key]
            first = await self._ensure_first()
            ours, theirs = socket.socketpair()
            first.send({"entrypoint": code.entrypoint, "folder": code.folder}, theirs)
            channel = await _Channel.open(ours)
            answer = await channel.read()
            if "error" in answer:
                channel.close()
                raise TemplateFailed(f"It does not import: {answer['error']}")
            self._channels[key] = (code, channel)
            return channel

    async def _ensure_first(self) -> _Channel:
        if self._first is not None and self._program is not None:
            if self._program.returncode is None:
                return self._first
            self._first.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._program = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "flows.warm.template", str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
            )
        self._first = await _Channel.open(ours)
        async with asyncio.timeout(START_SECONDS):
            await self._first.read()
        return self._first


class _Channel:
    """A socket to a template process: one request at a time, each with its answer."""

    def __init__(
        self, connection: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()

    @classmethod
    async def open(cls, connection: socket.socket) -> _Channel:
        copy = connection.dup()
        return cls(copy, *await asyncio.open_unix_connection(sock=connection))

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._asking:
            self._writer.write(pack(request))
            await self._writer.drain()
            return await self.read()

    async def read(self) -> dict[str, Any]:
        body = await self._reader.readexactly(length_of(await self._reader.readexactly(PREFIX)))
        content: dict[str, Any] = json.loads(body)
        return content

    def send(self, request: dict[str, Any], passed: socket.socket) -> None:
        """Send a request together with a socket, which is then the other side's alone."""
        with passed:
            descriptors = array("i", [passed.fileno()])
            self._connection.sendmsg(
                [pack(request)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            )

    def close(self) -> None:
        self._connection.close()
        self._writer.close()
