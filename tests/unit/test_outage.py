"""Loops that need the same thing: they wait for it together, and one line tells of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from prefect_phantom.adapters.between.prefect.outage import PrefectAway, is_outage
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.gateway.loop import keep
from prefect_phantom.adapters.prefect.deployments import gone_playbooks
from prefect_phantom.adapters.prefect.deployments.gone_playbooks import GonePlaybooks
from prefect_phantom.adapters.process import outage
from prefect_phantom.adapters.process.outage import Dependency
from prefect_phantom.adapters.store.database.availability import is_away
from prefect_phantom.adapters.supervisor.parts import probe
from prefect_phantom.adapters.supervisor.port import free_ports

logger = logging.getLogger("tests.outage")


class Server:
    """Away until it is told otherwise."""

    def __init__(self) -> None:
        self.away = True
        self.met = asyncio.Semaphore(0)

    async def ask(self) -> None:
        self.met.release()
        if self.away:
            raise ConnectionError("connection refused")

    async def use(self) -> None:
        async with asyncio.TaskGroup() as tasks:  # as loops of several tasks do
            tasks.create_task(self.ask())
        await asyncio.Event().wait()


async def test_an_outage_that_many_loops_meet_is_one_line_and_so_is_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outage, "FIRST_PAUSE_SECONDS", 0.01)
    caplog.set_level(logging.INFO)
    server = Server()
    need = Dependency(
        "The server",
        logger,
        is_outage=lambda error: isinstance(error, ConnectionError),
        ask=server.ask,
    )
    loops = [asyncio.create_task(keep(f"loop {n}", server.use, [need])) for n in range(5)]
    for _ in range(5 + 2):  # each loop, and the one that asks for all of them
        await server.met.acquire()
    assert caplog.messages == ["The server cannot be used (connection refused); waiting for it"]
    server.away = False
    for _ in range(1 + 5):
        await server.met.acquire()
    assert caplog.messages[1:] == ["The server can be used now"]
    assert not [record for record in caplog.records if record.exc_info]
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def test_what_is_no_outage_is_told_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise LookupError("ours")

    need = Dependency("The server", logger, is_outage=lambda _: False, ask=fail)
    loop = asyncio.create_task(keep("broken", fail, [need]))
    await failed.wait()
    await asyncio.sleep(0)
    loop.cancel()
    assert caplog.records[0].exc_info
    assert "The broken loop failed" in caplog.messages[0]


async def test_a_server_is_waited_for_and_why_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "WAIT_SECONDS", 0.01)
    (port,) = free_ports("127.0.0.1", 1)
    told: asyncio.Queue[str] = asyncio.Queue()
    url = f"http://127.0.0.1:{port}/health"
    waiting = asyncio.create_task(probe.wait_for_server(url, told.put_nowait))
    await told.get()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        await waiting
    assert told.empty()


async def test_a_round_in_which_prefect_takes_too_long_is_no_outage_of_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @asynccontextmanager
    async def settling(_: object) -> AsyncIterator[bool]:
        yield True

    async def read_gone(_: object) -> list[object]:
        return [object()]

    class Waiting(GonePlaybooks):
        async def _settle(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(gone_playbooks, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(gone_playbooks, "settling", settling)
    monkeypatch.setattr(gone_playbooks, "read_gone", read_gone)
    nobody: Any = None
    gone = Waiting(database=nobody, client=nobody, reconcile=Signal())
    with pytest.raises(PrefectAway) as raised:
        await gone.settle()
    assert is_outage(raised.value)
    assert not is_away(raised.value)
