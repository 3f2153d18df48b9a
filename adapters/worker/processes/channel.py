"""The worker's side of the sockets to template processes and reused ones."""

from __future__ import annotations

import asyncio
import json
import socket
from array import array
from typing import Any

from prefect_phantom.flows.process.warm.message import PREFIX, length_of, pack


class Channel:
    """A socket to a process of warm execution: one request at a time, each with its answer.

    Once the other side is gone, reading raises `asyncio.IncompleteReadError` and sending
    `ConnectionError`.
    """

    def __init__(
        self, connection: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()

    @classmethod
    async def open(cls, connection: socket.socket) -> Channel:
        """Talk over `connection`, which is the channel's from now on."""
        copy = connection.dup()
        return cls(copy, *await asyncio.open_unix_connection(sock=connection))

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer."""
        async with self._asking:
            await self.send(request)
            return await self.read()

    async def send(self, request: dict[str, Any]) -> None:
        """Send a request that has no answer."""
        self._writer.write(pack(request))
        await self._writer.drain()

    async def read(self) -> dict[str, Any]:
        """The next message of the other side."""
        body = await self._reader.readexactly(length_of(await self._reader.readexactly(PREFIX)))
        content: dict[str, Any] = json.loads(body)
        return content

    async def pass_on(self, request: dict[str, Any], passed: socket.socket) -> None:
        """Send a request together with a socket, which is then the other side's alone."""
        message = pack(request)
        async with self._asking:
            with passed:
                # The descriptor goes with the first bytes, which always fit.
                descriptors = array("i", [passed.fileno()])
                self._connection.sendmsg(
                    [message[:PREFIX]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
                )
            self._writer.write(message[PREFIX:])
            await self._writer.drain()

    def close(self) -> None:
        """Close this side; the other one reads the end of it."""
        self._connection.close()
        self._writer.close()
