"""The worker's own part of taking runs, without Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.prefect import phantom_worker
from adapters.prefect.phantom_worker import PhantomWorker
from adapters.prefect.turns import Turns


class Gateway:
    """Gives hints, and breaks the connection after them."""

    def __init__(self, *connections: list[dict[str, Any]]) -> None:
        self.connections = list(connections)
        self.over = asyncio.Event()

    async def hints(self, _: str | None) -> AsyncIterator[dict[str, Any]]:
        if not self.connections:
            self.over.set()
            await asyncio.Event().wait()
        for hint in self.connections.pop(0):
            yield hint
        raise httpx.ReadError("gone")


@pytest.fixture
def worker() -> PhantomWorker:
    worker = PhantomWorker.__new__(PhantomWorker)
    worker._work_queues, worker._work_pool_name = set(), "phantom"
    worker._turns = Turns()
    worker._asking = True  # so that it keeps offers
    return worker


async def listen(worker: PhantomWorker, gateway: Gateway) -> None:
    """Let it listen until the gateway has said everything."""
    worker._gateway = gateway  # type: ignore[assignment]
    listening = asyncio.create_task(worker._listen())
    over = asyncio.create_task(gateway.over.wait())
    await asyncio.wait({listening, over}, return_when=asyncio.FIRST_COMPLETED)
    assert over.done()
    listening.cancel()


async def test_offers_are_not_kept_when_the_gateway_can_no_longer_take_them_back(
    worker, monkeypatch
):
    monkeypatch.setattr(phantom_worker, "RECONNECT_SECONDS", 0)
    await listen(worker, Gateway([{"offer": {"id": str(uuid4())}}]))
    assert worker._turns.next_offer() is None
    assert worker._turns.asks
