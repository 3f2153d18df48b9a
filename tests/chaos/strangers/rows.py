"""What is sent, over and over: each coroutine is one way to cost a gateway more than its sender."""

from __future__ import annotations

import asyncio
import base64
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
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
TLS = ssl._create_unverified_context()
Address = tuple[str, int]
Rows = list[Coroutine[Any, Any, None]]


@dataclass
class Senders:
    """Where they send from and to, and what was answered to each row."""

    contract: Address
    runtime: Address
    token: str
    """Of a viewer, for those rows that need somebody who is known."""
    secure: bool
    """Whether the contract is served by TLS."""
    budget: Budget
    source: str = "127.0.0.66"
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def known(self) -> dict[str, str]:
        """The viewer's headers."""
        return {"ph-auth-token": self.token}

    async def connect(
        self, to: Address, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await self.budget.turn()
        opening = asyncio.open_connection(*to, local_addr=(self.source, 0), ssl=context)
        return await asyncio.wait_for(opening, ANSWER_SECONDS)

    async def ask(
        self,
        row: str,
        to: Address,
        line: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Send one request on a connection of its own, and note the status."""
        by_tls = self.secure and to == self.contract
        reader, writer = await self.connect(to, TLS if by_tls else None)
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


Row = Callable[[Senders], Rows]


def large_bodies(senders: Senders) -> Rows:
    """Without credentials to the runtime API, four at once."""
    body = b'{"a":[' + b"1," * (KILLER_BYTES // 2) + b"1]}"
    return _repeated(senders, "62 MB body", 4, senders.runtime, "POST /runtime/end", body=body)


def idle_connections(senders: Senders) -> Rows:
    """More of them to the contract's port than a process may usually have files.

    Where it is served by TLS, none of them says anything of that either.
    """
    return [senders.hold("idle connection", senders.contract, b"") for _ in range(IDLE)]


def runtime_connections(senders: Senders) -> Rows:
    """To the runtime API: idle, with half a head, with half a body."""
    half_head = b"POST /runtime/claim HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    half_body = half_head + b"Content-Length: 1000\r\n\r\n{"
    kinds = {"idle runtime connection": b"", "half a head": half_head, "half a body": half_body}
    return [
        senders.hold(row, senders.runtime, said) for row, said in kinds.items() for _ in range(HELD)
    ]


def scrapes(senders: Senders) -> Rows:
    """Of ``/metrics``, eight at once."""
    return _repeated(senders, "scrape", 8, senders.contract, "GET /metrics")


def long_paths(senders: Senders) -> Rows:
    """Of 30 kB, each of which was 90 kB in the log."""
    return _repeated(senders, "30 kB path", 4, senders.contract, "GET /" + "%ff" * 10_000)


def wrong_passwords(senders: Senders) -> Rows:
    """A hundred at once."""

    async def send() -> None:
        login = base64.b64encode(f"admin:{random.random()}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        await senders.ask("wrong password", senders.contract, "GET /rest/version", headers)

    return [senders.repeat("wrong password", send) for _ in range(100)]


def viewers_bodies(senders: Senders) -> Rows:
    """Of 1 MiB each, four at once."""
    body = b'{"name":[' + b"1," * (512 * 1024 - 8) + b"1]}"
    line, known = "POST /rest/container", senders.known
    return _repeated(senders, "1 MiB body", 4, senders.contract, line, known, body)


def viewers_labels(senders: Senders) -> Rows:
    """Every route by every method."""

    async def send() -> None:
        line = f"{random.choice(METHODS)} /rest/{random.choice(ROUTES)}/1"
        await senders.ask("route x method", senders.contract, line, senders.known)

    return [senders.repeat("route x method", send) for _ in range(4)]


def viewers_patterns(senders: Senders) -> Rows:
    """Regular expressions that take long, sixteen at once."""

    async def send() -> None:
        text = random.choice((PATTERN, SLOW_PATTERN))
        line = f"GET /rest/container?_filter_description__regex={text}"
        await senders.ask("pattern", senders.contract, line, senders.known)

    return [senders.repeat("pattern", send) for _ in range(16)]


def large_answers(_: Senders) -> Rows:
    """Of 4 MB to what an action asked for: a run of the caller's gets them (`Caller.work`)."""
    return []


def _repeated(
    senders: Senders,
    row: str,
    count: int,
    to: Address,
    line: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Rows:
    async def send() -> None:
        await senders.ask(row, to, line, headers, body)

    return [senders.repeat(row, send) for _ in range(count)]


KILLERS: dict[str, Row] = {"bodies": large_bodies, "idle": idle_connections}
"""The two that ended every run."""
ROWS: dict[str, Row] = KILLERS | {
    "runtime": runtime_connections,
    "large": large_answers,
    "metrics": scrapes,
    "paths": long_paths,
    "passwords": wrong_passwords,
    "viewers-bodies": viewers_bodies,
    "viewers-labels": viewers_labels,
    "viewers-patterns": viewers_patterns,
}
