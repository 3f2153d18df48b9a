"""How the worker part stops when there is no gateway any more that it could tell."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterator

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_phantom.adapters.process.process_marks import WORKER_VARIABLE
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker.worker import Worker


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker marks its own process, and here that is the tests'."""
    monkeypatch.setenv(WORKER_VARIABLE, "")


@pytest.fixture
def said() -> Iterator[asyncio.Queue[str]]:
    """What the worker logs."""
    said: asyncio.Queue[str] = asyncio.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: said.put_nowait(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("prefect_phantom.worker")
    logger.addHandler(handler)
    yield said
    logger.removeHandler(handler)


async def test_a_worker_that_waits_for_the_gateway_says_so_and_stops_when_told(
    nowhere: str, said: asyncio.Queue[str]
) -> None:
    worker = Worker(Settings(runtime_url=nowhere, runtime_key="key", worker_name="alone"))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    assert (await said.get()).startswith(f"The gateway at {nowhere} cannot be used (")
    stop.set()
    assert await running == 0
    assert said.empty()
    await worker.gateway.close()


async def test_a_worker_that_waits_for_prefect_says_so_and_stops_when_told(
    nowhere: str, said: asyncio.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(Settings(runtime_url=nowhere, runtime_key="key", worker_name="alone"))

    async def answer(*_: str) -> None:
        pass

    monkeypatch.setattr(worker._hold, "take", answer)
    monkeypatch.setattr(worker.gateway, "started", answer)
    stop = asyncio.Event()
    with temporary_settings({PREFECT_API_URL: f"{nowhere}/api"}):
        running = asyncio.create_task(worker.run(stop))
        assert (await said.get()).startswith(f"Prefect at {nowhere}/api/ cannot be used (")
        stop.set()
        assert await running == 0
    assert said.empty()
    await worker.gateway.close()


@pytest.mark.long
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
