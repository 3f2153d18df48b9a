"""Our decision: whoever is known is served before the crowd of those who are not."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import AsyncExitStack

import httpx
import pytest
from pydantic import SecretStr

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.rest.application import create_application
from prefect_phantom.adapters.rest.layers.strangers import Strangers
from prefect_phantom.adapters.rest.listener.connections import Connections
from prefect_phantom.adapters.rest.listener.listener import Listener
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.notices import Notices

CROWD = 100
KEY = "runtime-key-of-the-tests-of-turns"
ADDRESS = ipaddress.ip_address("127.0.0.1")


class Noted(LoopTurns):
    """LoopTurns that note who asked for one."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[object] = []

    def call(self, address, callback):
        self.keys.append(address)
        super().call(address, callback)


def over_known(application):
    """The application, over a connection that has brought right credentials before."""

    async def served(scope, receive, send):
        await application({**scope, "state": {"is_known": True}}, receive, send)

    return served


@pytest.mark.attack("hundreds of requests without credentials at once", "callers are served first")
async def test_a_caller_does_not_wait_for_the_crowd():
    answered = []

    async def application(scope, _, send):
        if scope["path"] == "/known":
            scope["user"] = "somebody"
            await asyncio.sleep(0)  # and longer than the others
        await send({"type": "http.response.start", "status": 200, "headers": []})
        answered.append(scope["path"])

    async def send(message):
        """Nobody is there."""

    strangers = Strangers(application, LoopTurns())

    async def ask(path: str) -> None:
        state = {"is_known": path == "/known"}
        scope = {"type": "http", "path": path, "client": ("192.0.2.66", 1), "state": state}
        await strangers(scope, None, send)

    async with asyncio.TaskGroup() as group:
        for _ in range(CROWD):
            group.create_task(ask("/unknown"))
        group.create_task(ask("/known"))
    assert len(answered) == CROWD + 1
    assert answered.index("/known") <= 1


@pytest.fixture
async def contract(database, dispatch, reconcile, stopped, ask_prefect, keeper, deployments):
    """Clients by a connection that is not known and by one that is, and the turns they have."""
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
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(each, client=("127.0.0.1", 5000)),
                    base_url="http://gateway",
                )
            )
            for each in (application, over_known(application))
        ]
        yield *clients, turns


@pytest.mark.parametrize("path", ["/rest/version", "/metrics", "/%ff", "/rest/unknown", "/healthz"])
async def test_whatever_a_stranger_asks_for_has_its_turn(contract, path):
    *clients, turns = contract
    for client in clients:
        await client.get(path)
        assert turns.keys == [ADDRESS]
        turns.keys.clear()


@pytest.mark.parametrize(("token", "status"), [("wrong", 401), (None, 200)])
async def test_over_a_known_connection_none_but_a_wrong_token_has_a_turn(
    contract, credentials, token, status
):
    new, known, turns = contract
    headers = {"ph-auth-token": token or credentials.token}
    assert (await new.get("/rest/version", headers=headers)).status_code == status
    assert turns.keys == [ADDRESS]
    assert (await known.get("/rest/version", headers=headers)).status_code == status
    assert turns.keys == [ADDRESS] * (2 if token else 1)


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
    transport = httpx.ASGITransport(over_known(application), client=("127.0.0.1", 5000))
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
    async def application(scope, _, send):
        scope["user"] = "somebody"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    turns = Noted()
    networks = [ipaddress.ip_network("127.0.0.0/8")] if exempt else []
    bound = socket.create_server(("127.0.0.1", 0))
    strangers = Strangers(application, turns)
    server = Listener(strangers, Connections(10, 10, networks), turns=turns)
    serving = asyncio.create_task(server.serve([bound]))
    async with httpx.AsyncClient() as client:
        host, port = bound.getsockname()
        statuses = [(await client.get(f"http://{host}:{port}/")).status_code for _ in range(3)]
    server.should_exit = True
    await serving
    assert statuses == [204] * 3
    # The first request has its turn, too; of those after it the connection is known.
    assert turns.keys == [ADDRESS] * (1 if exempt else 2)


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
