"""Large bodies are taken in turn, so that they are not kept by the dozen before they are read."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.requests import Request

from prefect_phantom.adapters.errors import BodyTooLarge
from prefect_phantom.adapters.rest.request.body_reader import PARSED_HERE_BYTES, BodyReader

LIMIT = 4 * PARSED_HERE_BYTES


class Sender:
    """Sends a body in parts, when it is told to."""

    def __init__(self, *, announced: int | None = None) -> None:
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.taken = 0
        headers = [(b"content-length", b"%d" % announced)] if announced else []
        self.request = Request({"type": "http", "headers": headers}, self._receive)

    async def _receive(self) -> dict[str, object]:
        part = await self.parts.get()
        self.taken += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(part)}


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.attack(
    "large bodies on many connections of one sender, each sent slowly",
    "few of them are taken, and others' have their turn",
)
async def test_of_one_sender_few_large_bodies_are_taken_at_once():
    reader = BodyReader(3, most_each=2)
    body = json.dumps("x" * 2 * PARSED_HERE_BYTES).encode()
    pieces = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
    senders = {name: Sender() for name in ("run 1", "run 2", "run 3", "other")}
    reads = {}
    for name, sender in senders.items():
        for piece in pieces[:-1]:
            sender.parts.put_nowait(piece)
        owner = "other" if name == "other" else "run"
        reads[name] = asyncio.create_task(reader.read(sender.request, owner, LIMIT, json.loads))
        await settle()
    took = {
        name: sender.taken > PARSED_HERE_BYTES + len(pieces[0]) for name, sender in senders.items()
    }
    assert took == {"run 1": True, "run 2": True, "run 3": False, "other": True}
    small = Sender()
    small.parts.put_nowait(b'"small"')
    small.parts.put_nowait(b"")
    assert await reader.read(small.request, "run", LIMIT, json.loads) == "small"
    for sender in senders.values():
        sender.parts.put_nowait(pieces[-1])
        sender.parts.put_nowait(b"")
    assert await asyncio.gather(*reads.values()) == ["x" * 2 * PARSED_HERE_BYTES] * 4
    assert reader._turns._free == 3
    reader._process._end()


@pytest.mark.parametrize("announced", [None, LIMIT + 1])
async def test_what_is_over_the_limit_is_not_kept(announced):
    reader = BodyReader(1, most_each=1)
    sender = Sender(announced=announced)
    for _ in range(9):
        sender.parts.put_nowait(b"x" * PARSED_HERE_BYTES)
    with pytest.raises(BodyTooLarge):
        await reader.read(sender.request, "run", LIMIT, json.loads)
    assert sender.taken <= LIMIT + PARSED_HERE_BYTES
    assert reader._turns._free == 1
