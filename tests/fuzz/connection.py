"""A connection that says whatever it is told to, and reads what comes back."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

SECONDS = 40
"""Longer than the gateway waits for the rest of a request."""


class Connection:
    """Kept alive as long as the gateway does."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        if self._context is not None:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        async with asyncio.timeout(SECONDS):
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._address, ssl=self._context)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 1"):
                head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            lines = head.lower().split(b"\r\n")
            body = b""
            if not request.startswith(b"HEAD "):
                body = await self._body(reader, lines)
            if b"connection: close" in lines:
                self.close()
            return status, body

    @staticmethod
    async def _body(reader: asyncio.StreamReader, lines: list[bytes]) -> bytes:
        for line in lines:
            name, _, value = line.partition(b": ")
            if name == b"content-length":
                return await reader.readexactly(int(value))
            if name == b"transfer-encoding":
                chunks = []
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    chunks.append((await reader.readexactly(size + 2))[:-2])
                await reader.readuntil(b"\r\n")
                return b"".join(chunks)
        return await reader.read()
