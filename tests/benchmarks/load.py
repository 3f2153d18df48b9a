"""A closed-loop HTTP/1.1 load client: callers that send the next request after each answer.

An ordinary client takes a millisecond of CPU for a request, more than what is measured. This one
writes bytes that were made before, and reads of an answer its status and its length.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HEAD_END, LENGTH = b"\r\n\r\n", b"content-length: "


@dataclass(slots=True)
class Load:
    """What came of one phase: seconds of each answer, and how many answers were no success."""

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def rate(self) -> float:
        """Successes a second."""
        return (len(self.latencies) - self.errors) / self.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: POSTs when there are bodies, of which each caller has one."""

    url: str
    auth: str = ""
    bodies: Sequence[bytes] = ()

    def request(self, number: int) -> bytes:
        """The request of one caller, as it is sent."""
        parts = urlsplit(self.url)
        body = self.bodies[number % len(self.bodies)] if self.bodies else b""
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        head = [
            f"{'POST' if body else 'GET'} {path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        if self.auth:
            head.append(f"Authorization: Basic {base64.b64encode(self.auth.encode()).decode()}")
        return "\r\n".join([*head, "", ""]).encode() + body


async def load(target: Target, *, callers: int, seconds: float) -> Load:
    """Send requests over and over, on one connection per caller.

    Raises:
        ConnectionError: the other side closed a connection.
    """
    found, loop, parts = Load(), asyncio.get_running_loop(), urlsplit(target.url)
    requests = [target.request(number) for number in range(callers)]
    all_callers = [
        (await loop.create_connection(lambda: _Caller(found), parts.hostname, parts.port))[1]
        for _ in range(callers)
    ]
    start = time.monotonic()
    for caller, request in zip(all_callers, requests, strict=True):
        caller.begin(request, start + seconds)
    try:
        await asyncio.gather(*(caller.ended for caller in all_callers))
    finally:
        for caller in all_callers:
            caller.close()
    found.seconds = time.monotonic() - start
    return found


class _Caller(asyncio.Protocol):
    """One connection. Answers must say their length, and name it in lower case as ASGI has it."""

    def __init__(self, found: Load) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._found = found
        self._received = b""
        self._length = 0  # of the answer with its head; 0 while the head is not there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def begin(self, request: bytes, end: float) -> None:
        """Send `request` until `end`."""
        self._request, self._end = request, end
        self._send()

    def close(self) -> None:
        self._transport.close()

    def _send(self) -> None:
        self._sent = time.monotonic()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if not self._length:
            head = self._received.find(HEAD_END)
            if head < 0:
                return
            place = self._received.index(LENGTH, 0, head + 2) + len(LENGTH)
            body = int(self._received[place : self._received.index(b"\r", place)])
            self._length = head + len(HEAD_END) + body
        if len(self._received) >= self._length:
            self._answered()

    def _answered(self) -> None:
        now = time.monotonic()
        self._found.latencies.append(now - self._sent)
        self._found.errors += self._received[9:10] != b"2"
        self._received, self._length = b"", 0
        if now < self._end:
            self._send()
        else:
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionError("The connection was closed"))
