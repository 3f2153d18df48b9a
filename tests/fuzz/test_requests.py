"""Whatever is sent to the gateway, it is answered, and what it acknowledged happens."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections import Counter
from uuid import uuid4

import pytest

from tests.fuzz.connection import Connection
from tests.fuzz.requests import made_up_request
from tests.system import System

pytestmark = [
    pytest.mark.timeout(0 if "FUZZ_REQUESTS" in os.environ else 180),
]

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "800"))
SEED = int(os.environ.get("FUZZ_SEED", "20261124"))
CONNECTIONS = 8
MANY = 50_000
"""With fewer requests memory tells nothing: the statements of lists are still being cached."""
WARM = 0.2
"""The part of the requests after which memory is looked at for the first time."""
GROWTH = 16 * 2**20
"""Bytes that the gateway may hold more at the end than when it was warm."""
UNHANDLED = re.compile(r"prefect_phantom\.failures|Incident|Exception in|never retrieved|CRITICAL")
"""Not the loops that wait for Prefect, which may be slow on a machine with other work on it."""


class Sender:
    """Sends made-up requests over several connections, and keeps what the answers tell."""

    def __init__(self, system: System, token: str, container: int) -> None:
        self._system = system
        self._token = token
        self._container = container
        self._dice = random.Random(SEED)
        self._sent = 0
        self.wrong: list[tuple[bytes, bytes]] = []
        self.answers: Counter[int] = Counter()
        self.acknowledged: set[int] = set()
        self.memory: list[int] = []

    async def send_all(self) -> None:
        await asyncio.gather(*(self._send() for _ in range(CONNECTIONS)))
        self._measure()

    async def _send(self) -> None:
        async with Connection(self._system.url) as connection:
            while self._sent < REQUESTS:
                self._sent += 1
                if self._sent == int(REQUESTS * WARM):
                    self._measure()
                request = made_up_request(self._dice, self._token, self._container)
                try:
                    status, body = await connection.ask(request)
                except (asyncio.IncompleteReadError, ConnectionError):
                    self.answers[0] += 1  # the request before was no HTTP, so the server hung up
                    connection.close()
                    continue
                if not body.startswith((b"{", b"[")):
                    connection.close()  # the server's own words for what is no HTTP
                self._judge(request, status, body)

    def _judge(self, request: bytes, status: int, body: bytes) -> None:
        self.answers[status] += 1
        refused = status >= 400 and body.startswith(b"{")
        if status >= 500 or (refused and json.loads(body)["failed"] is not True):
            self.wrong.append((request, body))
        if status == 200 and b'"received":true' in body:
            self.acknowledged.add(int(json.loads(body)["playbook_run_id"]))

    def _measure(self) -> None:
        self.memory.append(self._system.part("gateway").memory_info().rss)

    def __str__(self) -> str:
        warm, end = (each / 2**20 for each in self.memory)
        return (
            f"{REQUESTS} requests, seed {SEED}: {dict(sorted(self.answers.items()))}, "
            f"{len(self.acknowledged)} runs, {warm:.1f} MiB when warm, {end:.1f} MiB at the end"
        )


@pytest.mark.attack(
    "requests that are nearly right, as bytes, 100,000 in `make fuzz`",
    "no 5xx, no more memory; each acknowledged run ends",
)
async def test_made_up_requests_are_answered_and_what_is_acknowledged_happens(system: System):
    user = {"username": f"fuzz {uuid4().hex}", "type": "automation", "roles": ["Administrator"]}
    before = system.get("/rest/playbook_run?page_size=1")["count"]
    log = system.home / "logs" / "gateway.log"
    logged = log.stat().st_size
    container = system.post("/rest/container", {"name": "fuzz", "label": "events"})["id"]
    sender = Sender(system, system.post("/rest/ph_user", user)["token"], container)
    await sender.send_all()
    print(sender)
    assert sender.wrong == []
    assert sender.acknowledged
    for playbook_run_id in sender.acknowledged:
        assert (await asyncio.to_thread(system.ended, playbook_run_id))["status"] == "success"
    count = system.get("/rest/playbook_run?page_size=1")["count"] - before
    assert count == len(sender.acknowledged)
    lines = log.read_bytes()[logged:].decode().splitlines()
    assert [line for line in lines if UNHANDLED.search(line)] == []
    if REQUESTS >= MANY:
        assert sender.memory[-1] - sender.memory[0] < GROWTH
