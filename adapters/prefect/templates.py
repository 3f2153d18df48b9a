"""The worker's side of warm execution: template processes, and the runs that they fork."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.prefect.run_process import RunProcess
from flows.warm.message import PREFIX, length_of, pack

START_SECONDS = 60
logger = logging.getLogger("prefect_phantom.templates")


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


class Templates:
    """Template processes by playbook, made when first needed and again when code changes."""

    def __init__(self) -> None:
        self._first: _Channel | None = None
        self._program: asyncio.subprocess.Process | None = None
        # None: the playbook's import starts threads, so that it cannot be forked afterwards.
        self._channels: dict[tuple[str, str | None], tuple[Code, _Channel | None]] = {}
        self._making = asyncio.Lock()

    async def fork(self, code: Code, request: dict[str, Any]) -> RunProcess:
        """Fork a process for a run: ``{flow_run, related, environment}``.

        Raises:
            TemplateFailed: the playbook does not import, or its template died twice.
        """
        for last in (False, True):
            channel = await self._channel(code)
            if channel is None:
                return await self._fork_alone(code, request)
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

    async def _fork_alone(self, code: Code, request: dict[str, Any]) -> RunProcess:
        """Fork a run that imports its playbook itself."""
        async with self._making:
            first = await self._ensure_first()
            ours, theirs = socket.socketpair()
            place = {"entrypoint": code.entrypoint, "folder": code.folder}
            first.send({**place, "run": request}, theirs)
            channel = await _Channel.open(ours)
        answer = await channel.read()
        channel.close()
        return RunProcess(answer["process_id"])

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
            if channel is not None:
                channel.close()
        self._channels.clear()
        if self._first is not None and self._program is not None:
            self._first.close()
            await self._program.wait()

    async def _channel(self, code: Code) -> _Channel | None:
        async with self._making:
            key = (code.entrypoint, code.folder)
            known = self._channels.get(key)
            if known is not None and known[0] == code:
                return known[1]
            if known is not None:
                if known[1] is not None:
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
            if answer["threads"]:
                logger.warning(
                    "Importing %s starts threads (%s), so each of its runs imports it again",
                    *(code.entrypoint, ", ".join(answer["threads"])),
                )
                channel.close()
                self._channels[key] = (code, None)
                return None
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
