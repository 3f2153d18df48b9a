"""A closed-loop HTTP/1.1 load client: callers that send the next request after each answer.

httpx takes a millisecond of CPU for each request, more than what is measured; this takes a tenth.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Load:
    """What came of one phase: seconds of each answer, and how many answers were no success."""

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: POSTs when there are bodies, of which each caller has one."""

    url: str
    auth: str = ""
    bodies: Sequence[bytes] = ()


async def load(target: Target, *, callers: int, seconds: float) -> Load:
    """Send requests over and over, on one connection per caller."""
    found = Load()
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(_call(target, number, start + seconds, found))
    found.seconds = time.monotonic() - start
    return found


def _request(target: Target, number: int) -> bytes:
    parts = urlsplit(target.url)
    body = target.bodies[number % len(target.bodies)] if target.bodies else b""
    head = [
        f"{'POST' if body else 'GET'} {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if target.auth:
        head.append(f"Authorization: Basic {base64.b64encode(target.auth.encode()).decode()}")
    return "\r\n".join([*head, "", ""]).encode() + body


async def _call(target: Target, number: int, end: float, found: Load) -> None:
    parts, request = urlsplit(target.url), _request(target, number)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        while (sent := time.monotonic()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            found.latencies.append(time.monotonic() - sent)
            found.errors += head[9:10] != b"2"
    finally:
        writer.close()
