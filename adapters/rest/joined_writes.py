"""The head and the first bytes of an answer in one write, since each costs a system call."""

from __future__ import annotations

import asyncio

HEAD = b"HTTP/"


class JoinedWrites(asyncio.Transport):
    """A transport that keeps the head of an answer until what follows it is written.

    uvicorn writes them one after the other. A head that nothing follows in this turn of the event
    loop is written by itself. Has what uvicorn asks of a transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`, or keep it when it begins an answer."""
        data = bytes(data)
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

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def abort(self) -> None:
        """Close at once, whatever was not written."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the client."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more."""
        self._transport.resume_reading()
