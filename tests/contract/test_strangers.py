"""Our decision: whoever is known is served before the crowd of those who are not."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx
import pytest
from pydantic import SecretStr

from adapters.hints import Hints
from adapters.rest.application import create_application
from adapters.rest.connections import Connections
from adapters.rest.listener import Listener
from adapters.rest.loop_turns import AT_ONCE, LoopTurns
from adapters.rest.runtime import create_runtime_application
from adapters.rest.strangers import Strangers
from adapters.settings import Settings
from adapters.store.notices import Notices

pytestmark = pytest.mark.anyio

CROWD = 100
KEY = "runtime-key-of-the-tests-of-turns"
ADDRESS = ipaddress.ip_address("127.0.0.1")


class Noted(LoopTurns):
    """LoopTurns that note who asked for one."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[object] = []

    def call(self, key, callback):
        self.keys.append(key)
        super().call(key, callback)


@pytest.mark.attack("hundreds of requests without credentials at once", "callers are served first")
async def test_a_caller_does_not_wait_for_the_crowd():
    answered = []

    async def application(scope, _, send):
        if scope["path"] == "/known":
            scope["user"] = "somebody"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        answered.append(scope["path"])

    async def send(message):
        """Nobody is there."""

    strangers = Strangers(application, LoopTurns())

    async def ask(path: str) -> None:
        scope = {"type": "http", "path": path, "client": ("192.0.2.66", 1)}
        await strangers(scope, None, send)

    async with asyncio.TaskGroup() as group:
        for _ in range(CROWD):
            group.create_task(ask("/unknown"))
        group.create_task(ask("/known"))
    assert len(answered) == CROWD + 1
    assert answered.index("/known") <= AT_ONCE


@pytest.fixture
async def contract(database, dispatch, reconcile, stopped, ask_prefect, keeper, deployments):
    """A client without credentials, and the turns of the application."""
    turns = Noted()
    application = create_application(
        database=database,
        settings=Settings(metrics=True),
        dispatch=dispatch,
        reconcile=reconcile,
        stop=stopped.append,
        notices=Notices(database),
        prefect=ask_prefect,
        keeper=keeper,
        deployments=deployments,
        turns=turns,
    )
    transport = httpx.ASGITransport(application, client=("127.0.0.1", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client, turns


@pytest.mark.parametrize("path", ["/rest/version", "/metrics", "/%ff", "/rest/unknown", "/healthz"])
async def test_whatever_a_stranger_asks_for_has_its_turn(contract, path):
    client, turns = contract
    await client.get(path)
    assert turns.keys == [ADDRESS]


async def test_a_wrong_token_has_its_turn_and_a_right_one_does_not(contract, credentials):
    client, turns = contract
    wrong = await client.get("/rest/version", headers={"ph-auth-token": "wrong"})
    right = await client.get("/rest/version", headers={"ph-auth-token": credentials.token})
    assert [wrong.status_code, right.status_code] == [401, 200]
    assert turns.keys == [ADDRESS]


async def test_who_has_not_the_runtime_key_has_a_turn(database, dispatch, reconcile):
    turns = Noted()
    application = create_runtime_application(
        database=database,
        settings=Settings(runtime_key=SecretStr(KEY)),
        dispatch=dispatch,
        reconcile=reconcile,
        hints=Hints(lambda _: None),
        announce=lambda _: None,
        turns=turns,
    )
    transport = httpx.ASGITransport(application, client=("127.0.0.1", 5000))
    statuses = []
    async with httpx.AsyncClient(transport=transport, base_url="http://runtime") as client:
        for shown in ("wrong", KEY):
            answer = await client.post(
                "/runtime/workers/w/lease",
                json={"flow_run_ids": []},
                headers={"authorization": f"Bearer {shown}"},
            )
            statuses.append(answer.status_code)
    assert statuses == [401, 200]
    assert turns.keys == [ADDRESS]


@pytest.mark.parametrize("exempt", [False, True], ids=["stranger", "proxy"])
async def test_a_connection_is_opened_in_its_turn_unless_it_is_a_proxys(exempt):
    async def application(_, __, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    turns = Noted()
    networks = [ipaddress.ip_network("127.0.0.0/8")] if exempt else []
    bound = socket.create_server(("127.0.0.1", 0))
    server = Listener(application, Connections(10, 10, networks), turns=turns)
    serving = asyncio.create_task(server.serve([bound]))
    async with httpx.AsyncClient() as client:
        host, port = bound.getsockname()
        answer = await client.get(f"http://{host}:{port}/")
    server.should_exit = True
    await serving
    assert answer.status_code == 204
    assert turns.keys == ([] if exempt else [ADDRESS])


async def test_a_connection_that_gave_way_before_its_turn_is_closed():
    turns = LoopTurns()
    connections = Connections(2, 2)
    bound = socket.create_server(("127.0.0.1", 0))
    server = Listener(_silent, connections, turns=turns)
    serving = asyncio.create_task(server.serve([bound]))
    clients = [socket.create_connection(bound.getsockname()) for _ in range(10)]
    for client in clients[:8]:
        client.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    assert len(connections) == 2
    for client in clients:
        client.close()
    server.should_exit = True
    await serving
    assert not len(connections)


async def _silent(scope, receive, send):
    """Nothing is asked."""
