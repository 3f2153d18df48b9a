"""What makes a worker lose its name, and its runs with it: another holder, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import httpx
import pytest

from prefect_phantom.adapters.worker.gateway import name_hold
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.gateway.name_hold import NameHold


class Gateway:
    """Lets a name be held for a moment, fails in the ways that are given, and then lets it be."""

    url = "http://gateway"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.held = asyncio.Event()

    async def hold(self, _: Mapping[str, object]) -> AsyncIterator[dict[str, Any]]:
        yield {}
        if self.failures:
            raise self.failures.pop(0)
        self.held.set()
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_hold, "RECONNECT_SECONDS", 0)


@pytest.mark.parametrize(
    "failure",
    [
        GatewayRefused("HTTP 404"),
        GatewayRefused("the runtime key is another one", {"failed": True}),
        httpx.DecodingError("<html>"),
        httpx.ReadError("gone"),
        RuntimeError("anything else"),
    ],
    ids=str,
)
async def test_whatever_else_goes_wrong_takes_no_name_away(failure: Exception) -> None:
    gateway = Gateway(failure)
    hold = NameHold(cast("GatewayClient", gateway))
    await hold.take()
    lost = asyncio.create_task(hold.wait_lost())
    held = asyncio.create_task(gateway.held.wait())
    await asyncio.wait({lost, held}, return_when=asyncio.FIRST_COMPLETED)
    assert held.done()
    lost.cancel()
    await hold.give_back()
