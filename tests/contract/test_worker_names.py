"""A worker's name is held by its connection: one process each, and none that is dead."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import select, text, update

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.rest.runtime import runtime_names
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.tables.worker_tables import worker_names
from prefect_phantom.adapters.supervisor.port import free_ports
from prefect_phantom.adapters.worker.gateway import name_hold
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.gateway.name_hold import NameHold
from tests.runtime_key import KEY


@pytest.fixture
def serve(database, dispatch, reconcile, port):
    """Serves the runtime API for the length of a block; each time at the same address."""

    @asynccontextmanager
    async def serve() -> AsyncIterator[None]:
        listener = socket.create_server(("127.0.0.1", port))
        stopping = asyncio.Event()
        application = create_runtime_application(
            database=database,
            settings=Settings(runtime_key=SecretStr(KEY)),
            dispatch=dispatch,
            reconcile=reconcile,
            hints=Hints(lambda _: None),
            stopping=stopping,
        )
        server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield
        stopping.set()
        server.should_exit = True
        await serving

    return serve


@pytest.fixture
def port() -> int:
    return free_ports("127.0.0.1", 1)[0]


@pytest.fixture
async def hold(port, monkeypatch):
    """Makes one who wants a name; `elsewhere` is on a machine of its own."""
    monkeypatch.setattr(name_hold, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(runtime_names, "RENEW_SECONDS", 0.1)
    name = f"worker {uuid4()}"
    clients, holds = [], []

    def hold(elsewhere: str = "") -> NameHold:
        client = GatewayClient(url=f"http://127.0.0.1:{port}", key=KEY, worker=name)
        hold = NameHold(client)
        if elsewhere:
            hold._holder |= {"process": f"boot {elsewhere} 1 1", "hostname": elsewhere}
        clients.append(client)
        holds.append(hold)
        return hold

    hold.named = name
    yield hold
    for each in holds:
        await each.give_back()
    for client in clients:
        await client.close()


async def read(database, name: str):
    async with database.read() as connection:
        return (
            await connection.execute(select(worker_names).where(worker_names.c.name == name))
        ).one()


async def freed(database, name: str) -> None:
    """Return when the gateway has given the name back."""
    free = select(worker_names.c.held_until < text("now()")).where(worker_names.c.name == name)
    async with asyncio.timeout(60):
        while True:
            async with database.read() as connection:
                if await connection.scalar(free):
                    return
            await asyncio.sleep(0.01)


@pytest.mark.attack(
    "a second worker of a name on the same machine",
    "refused with one sentence, and what the first one runs goes on",
)
async def test_a_second_worker_of_a_name_is_refused_by_who_has_it(serve, hold, database):
    async with serve():
        await hold().take()
        with pytest.raises(GatewayRefused, match=r"is in use by the worker in process \d+ on "):
            await hold().take()
    row = await read(database, hold.named)
    assert row.refused_hostname == socket.gethostname()


async def test_a_second_worker_on_another_machine_is_refused_too(serve, hold):
    async with serve():
        await hold(elsewhere="one").take()
        with pytest.raises(GatewayRefused, match="on one: stop that one, or give this one another"):
            await hold(elsewhere="two").take()


async def test_who_has_ended_has_no_name(serve, hold, database):
    async with serve():
        first = hold(elsewhere="one")
        await first.take()
        await first.give_back()
        await freed(database, hold.named)
        await hold(elsewhere="two").take()


async def test_a_dead_process_beside_it_holds_nothing_that_no_gateway_has_seen_end(
    serve, hold, database
):
    # All of them were killed at once, so that nobody gave the name back.
    dead = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    first = hold()
    first._holder |= {"process_id": dead.pid, "process": name_hold._process(dead.pid)}
    async with serve():
        await first.take()
    await first.give_back()
    later = text("now() + interval '1 hour'")
    async with database.begin() as connection:
        await connection.execute(
            update(worker_names).where(worker_names.c.name == hold.named).values(held_until=later)
        )
    async with serve():
        with pytest.raises(GatewayRefused):
            await hold().take()
        await dead.communicate(b"")
        await hold().take()


async def test_a_restart_of_the_gateway_takes_no_name_away(serve, hold):
    first = hold(elsewhere="one")
    async with serve():
        await first.take()
    async with serve():
        with pytest.raises(GatewayRefused):
            await hold(elsewhere="two").take()
        assert not first._keeping.done()


async def test_who_lost_its_name_is_told_whose_it_is(serve, hold, database):
    first = hold(elsewhere="one")
    async with serve():
        await first.take()
    async with database.begin() as connection:
        await connection.execute(
            update(worker_names)
            .where(worker_names.c.name == hold.named)
            .values(holder=uuid4(), connection=uuid4(), hostname="two", process="boot one 2 2",
                    held_until=text("now() + interval '1 hour'"))
        )  # fmt: skip
    async with serve():
        renewing = asyncio.create_task(_renew(database, hold.named))
        with pytest.raises(GatewayRefused, match="on two"):
            await first.wait_lost()
        renewing.cancel()


async def _renew(database, name: str) -> None:
    while True:
        async with database.begin() as connection:
            await connection.execute(
                update(worker_names)
                .where(worker_names.c.name == name)
                .values(held_until=worker_names.c.held_until + text("interval '1 second'"))
            )
        await asyncio.sleep(0.05)
