"""A proxy before the gateways that can cut a connection after the commit and before the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

CHUNK = 65536


class Proxy:
    """Passes bytes on, to each of its targets in turn."""

    def __init__(self, ports: Sequence[int], chance: random.Random) -> None:
        self.ports = list(ports)
        self.cut = 0.0
        """How likely an answer is lost on its way back, after the gateway has given it."""
        self.lost = 0
        """How many answers were."""
        self._chance = chance
        self._count = 0
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        while self._ways:
            await asyncio.wait(self._ways)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        port = self.ports[self._count % len(self.ports)]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        ways = {
            asyncio.create_task(self._forward(reader, back)),
            asyncio.create_task(self._answer(there, writer)),
        }
        self._ways |= ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        self._ways -= ways
        for each in (writer, back):
            each.close()

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            part = await there.read(CHUNK)
            # What the gateway answers has been committed.
            if part and self._chance.random() < self.cut:
                self.lost += 1
                return
            while part:
                writer.write(part)
                await writer.drain()
                part = await there.read(CHUNK)

    async def _forward(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(CHUNK):
                back.write(part)
                await back.drain()
