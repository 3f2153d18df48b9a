"""What is sent, over and over: each coroutine is one way to cost a gateway more than its sender."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.chaos.strangers.budget import Budget

KILLER_BYTES = 62 * 1024 * 1024
CHUNK = 256 * 1024
IDLE = 1100
HELD = 300
"""Connections of each kind to the runtime API."""
ANSWER_SECONDS = 30
ROUTES = ("playbook_run", "container", "artifact", "ph_user", "role", "audit", "asset", "playbook")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X")
PATTERN = quote(r"'(.*)(.*)(.*)(.*)(.*)c\1'")
"""It has PostgreSQL try all ways to match."""
SLOW_PATTERN = quote("'(.?){100}(.?){100}q'")
"""And this one takes long without that."""
Address = tuple[str, int]


@dataclass
class Senders:
    """Where they send from and to, and what was answered to each row."""

    contract: Address
    runtime: Address
    token: str
    """Of a viewer, for those rows that need somebody who is known."""
    budget: Budget
    source: str = "127.0.0.66"
    answers: Counter[str] = field(default_factory=Counter)

    async def connect(self, to: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await self.budget.turn()
        return await asyncio.wait_for(
            asyncio.open_connection(*to, local_addr=(self.source, 0)), ANSWER_SECONDS
        )

    async def ask(
        self,
        row: str,
        to: Address,
        line: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Send one request on a connection of its own, and note the status."""
        reader, writer = await self.connect(to)
        answer = asyncio.create_task(reader.readline())
        try:
            fields = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **(headers or {})}
            head = [f"{line} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
            writer.write("\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1"))
            for start in range(0, len(body), CHUNK):
                await self.budget.turn()
                writer.write(body[start : start + CHUNK])
                await writer.drain()
            status = (await asyncio.wait_for(answer, ANSWER_SECONDS)).split()[1:2]
            self.answers[f"{row}: {status[0].decode() if status else 'closed'}"] += 1
            await asyncio.wait_for(reader.read(), ANSWER_SECONDS)
        finally:
            writer.close()
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def repeat(self, row: str, send: Callable[[], Awaitable[None]]) -> None:
        """Send for ever, whatever the other side does."""
        while True:
            await self.budget.turn()
            try:
                await send()
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                self.answers[f"{row}: {type(error).__name__}"] += 1
                await asyncio.sleep(0.05)

    async def hold(self, row: str, to: Address, said: bytes) -> None:
        """Keep a connection that says no more than this, and take another when it is closed."""

        async def send() -> None:
            reader, writer = await self.connect(to)
            try:
                writer.write(said)
                with suppress(ConnectionError):
                    await reader.read()
                self.answers[f"{row}: closed"] += 1
                await asyncio.sleep(1)
            finally:
                writer.close()

        await self.repeat(row, send)


def killers(senders: Senders) -> list[Awaitable[None]]:
    """The two that ended every run: large bodies without credentials, and idle connections."""
    large = b'{"a":[' + b"1," * (KILLER_BYTES // 2) + b"1]}"

    async def body() -> None:
        await senders.ask("62 MB body", senders.runtime, "POST /runtime/end", {}, large)

    return [
        *(senders.repeat("62 MB body", body) for _ in range(4)),
        *(senders.hold("idle connection", senders.contract, b"") for _ in range(IDLE)),
    ]


def strangers(senders: Senders) -> list[Awaitable[None]]:
    """All that needs no login."""
    half_head = b"POST /runtime/claim HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    half_body = half_head + b"Content-Length: 1000\r\n\r\n{"
    long_path = "GET /" + "%ff" * 10_000

    async def scrape() -> None:
        await senders.ask("scrape", senders.contract, "GET /metrics")

    async def path() -> None:
        await senders.ask("30 kB path", senders.contract, long_path)

    async def password() -> None:
        login = base64.b64encode(f"admin:{random.random()}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        await senders.ask("wrong password", senders.contract, "GET /rest/version", headers)

    return [
        *killers(senders),
        *(senders.hold("idle runtime connection", senders.runtime, b"") for _ in range(HELD)),
        *(senders.hold("half a head", senders.runtime, half_head) for _ in range(HELD)),
        *(senders.hold("half a body", senders.runtime, half_body) for _ in range(HELD)),
        *(senders.repeat("scrape", scrape) for _ in range(8)),
        *(senders.repeat("30 kB path", path) for _ in range(4)),
        *(senders.repeat("wrong password", password) for _ in range(100)),
    ]


def viewers(senders: Senders) -> list[Awaitable[None]]:
    """What a viewer may send besides."""
    known = {"ph-auth-token": senders.token}
    body = json.dumps({"name": "x", "description": "a" * 1024, "data": [1] * 340_000}).encode()

    async def large_body() -> None:
        body_of_a_megabyte = body[: 1024 * 1024]
        line = "POST /rest/container"
        await senders.ask("1 MiB body", senders.contract, line, known, body_of_a_megabyte)

    async def label() -> None:
        line = f"{random.choice(METHODS)} /rest/{random.choice(ROUTES)}/1"
        await senders.ask("route x method", senders.contract, line, known)

    async def pattern() -> None:
        text = random.choice((PATTERN, SLOW_PATTERN))
        line = f"GET /rest/container?_filter_description__regex={text}"
        await senders.ask("pattern", senders.contract, line, known)

    return [
        *(senders.repeat("1 MiB body", large_body) for _ in range(4)),
        *(senders.repeat("route x method", label) for _ in range(4)),
        *(senders.repeat("pattern", pattern) for _ in range(16)),
    ]


def everything(senders: Senders) -> list[Awaitable[None]]:
    """All of it at once."""
    return [*strangers(senders), *viewers(senders)]


ROWS: dict[str, Callable[[Any], list[Awaitable[None]]]] = {
    "killers": killers,
    "everything": everything,
}
