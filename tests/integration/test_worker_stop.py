"""How the worker part stops when there is no gateway any more that it could tell."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

import httpx
import pytest

from adapters.prefect.worker import Worker
from adapters.settings import Settings


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


async def test_nothing_stays_behind_when_the_gateway_is_gone_already(nowhere: str) -> None:
    settings = Settings(
        runtime_url=nowhere, runtime_key="key", worker_name="alone", grace_seconds=1
    )
    worker = Worker(settings)
    environment = os.environ | worker.mark
    program, run = [
        await asyncio.create_subprocess_exec(
            "sleep", "600", env=environment, start_new_session=True
        )
        for _ in range(2)
    ]
    with pytest.raises(httpx.TransportError):
        await worker._stop(program)
    assert (await program.wait(), await run.wait()) == (-9, -15)
    await worker.gateway.close()
