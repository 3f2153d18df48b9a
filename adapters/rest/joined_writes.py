"""The head and the first bytes of an answer in one write, since each costs a system call."""

from __future__ import annotations

import asyncio
from typing import Any

HEAD = b"HTTP/"


class JoinedWrites:
    """A transport that keeps the head of an answer until what follows it is written.

    uvicorn writes them one after the other. A head that nothing follows in this turn of the event
    loop is written by itself.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        """Whatever else a transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write `data`, or keep it when it begins an answer."""
        if not self._head and data.startswith(HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data)

    def close(self) -> None:
        """Write what was kept, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
