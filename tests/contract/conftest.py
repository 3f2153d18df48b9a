"""The real application on a real database, and runs in any state."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import insert, update
from starlette.types import ASGIApp

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.between.condition import PrefectCondition
from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.permissions import ADMINISTRATOR, AUTOMATION
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.errors import PlaybookStays, PrefectUnavailable
from prefect_phantom.adapters.rest.application import create_application
from prefect_phantom.adapters.rest.listener.connections import Connections
from prefect_phantom.adapters.rest.listener.listener import Listener
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts import accounts, tokens, users
from prefect_phantom.adapters.store.accounts.accounts import Changes
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.notices import Notices
from prefect_phantom.adapters.store.playbooks import worker_names
from prefect_phantom.adapters.store.playbooks.worker_names import Holder
from prefect_phantom.adapters.store.tables.tables import playbook_runs, playbooks
from tests.runtime_key import KEY

PASSWORD = "changeme"


@dataclass(frozen=True)
class Credentials:
    password: str
    token: str
    automation_token: str
    administrator_id: int
    automation_id: int


@pytest.fixture(scope="module")
async def credentials(database: Database) -> Credentials:
    administrator_id = await users.ensure_administrator(database, PASSWORD)
    token = uuid4().hex
    await tokens.ensure_token(database, "operator", token, roles=[ADMINISTRATOR])
    automation_id, automation_token = await accounts.create(
        database, "script", "automation", Changes(roles=[AUTOMATION])
    )
    assert automation_token is not None
    return Credentials(PASSWORD, token, automation_token, administrator_id, automation_id)


@pytest.fixture(scope="module")
def dispatch() -> Signal:
    return Signal()


@pytest.fixture(scope="module")
def reconcile() -> Signal:
    return Signal()


@pytest.fixture(scope="module")
def stopped() -> list[UUID]:
    """The flow runs that workers are told to end."""
    return []


@pytest.fixture(scope="module")
def announced() -> list[Announcement]:
    """What Prefect is told of."""
    return []


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings()


@pytest.fixture(scope="module")
def ask_prefect() -> Callable[[], Awaitable[PrefectCondition]]:
    """Answers for Prefect, of which there is none behind the contract here."""

    async def ask() -> PrefectCondition:
        return PrefectCondition("3.8.8", ["one"])

    return ask


class Keeper:
    """Keeps what Prefect would, of which there is none behind the contract here."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.limits: dict[str, int] = {}
        self.away = False
        self.limits_fail = False

    async def secrets_of(self, app: str) -> list[str]:
        return ["community"] if app == "Declares" else []

    async def save_secret(self, block: str, value: SecretStr) -> None:
        self._answer()
        self.secrets[block] = value.get_secret_value()

    async def delete_secret(self, block: str) -> None:
        self._answer()
        self.secrets.pop(block, None)

    async def save_limit(self, name: str, limit: int) -> None:
        self._answer()
        if self.limits_fail:
            raise PrefectUnavailable
        self.limits[name] = limit

    async def delete_limit(self, name: str) -> None:
        self._answer()
        self.limits.pop(name, None)

    def _answer(self) -> None:
        if self.away:
            raise PrefectUnavailable


@pytest.fixture(scope="module")
def keeper() -> Keeper:
    return Keeper()


class KeptDeployments:
    """Has what Prefect would of playbooks, of which there is none behind the contract here."""

    def __init__(self) -> None:
        self.known: dict[UUID, list[str]] = {}
        self.away = False

    async def schedules(self, deployment_id: UUID) -> list[str]:
        if self.away:
            raise PlaybookStays
        return self.known.get(deployment_id, [])

    async def delete(self, deployment_id: UUID) -> None:
        if self.away:
            raise PlaybookStays
        self.known.pop(deployment_id, None)


@pytest.fixture(scope="module")
def deployments() -> KeptDeployments:
    return KeptDeployments()


@pytest.fixture(scope="module")
def build(
    database: Database,
    dispatch: Signal,
    reconcile: Signal,
    stopped: list[UUID],
    ask_prefect: Callable[[], Awaitable[PrefectCondition]],
    announced: list[Announcement],
    keeper: Keeper,
    deployments: KeptDeployments,
) -> Callable[..., ASGIApp]:
    """Makes an application with other settings, perhaps with names or connections of its own."""
    return lambda settings, names=None, database=database: create_application(
        database=database,
        settings=settings,
        dispatch=dispatch,
        reconcile=reconcile,
        stop=stopped.append,
        notices=Notices(database),
        prefect=ask_prefect,
        announce=announced.append,
        keeper=keeper,
        deployments=deployments,
        names=names,
    )


@pytest.fixture(scope="module")
def application(build: Callable[[Settings], ASGIApp], settings: Settings) -> ASGIApp:
    return build(settings)


@pytest.fixture(scope="module")
def connect(credentials: Credentials) -> Callable[[ASGIApp], httpx.AsyncClient]:
    """Makes a client, with an administrator's token, of an application."""
    return lambda application: httpx.AsyncClient(
        transport=httpx.ASGITransport(application, client=("192.0.2.1", 5000)),
        base_url="http://gateway",
        headers={"ph-auth-token": credentials.token},
    )


@pytest.fixture(scope="module")
async def client(
    application: ASGIApp, connect: Callable[[ASGIApp], httpx.AsyncClient]
) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(application) as client:
        yield client


@pytest.fixture(scope="module")
async def anonymous(application: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@pytest.fixture(scope="module")
async def address(application: ASGIApp) -> AsyncIterator[str]:
    """Where uvicorn serves the application."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = listener.getsockname()
    yield f"{host}:{port}"
    server.should_exit = True
    await serving
    listener.close()


@pytest.fixture
async def listener(application: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    """Where the application is served as a gateway serves it."""
    opened = socket.create_server(("127.0.0.1", 0))
    server = Listener(application, Connections(100, 100))
    serving = asyncio.create_task(server.serve([opened]))
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = opened.getsockname()
    yield host, port
    server.should_exit = True
    await serving
    opened.close()


@dataclass(frozen=True)
class Shelf:
    """Ids of the playbooks that the tests name."""

    my_playbook: int  # local/my_playbook
    examples_playbook: int  # examples/my_playbook, shadowed by the one before
    only_examples: int
    broken: int
    disabled: int
    inactive: int
    bracketed: int


@pytest.fixture(scope="module")
async def shelf(database: Database) -> Shelf:
    rows: list[dict[str, Any]] = [
        {"repository": "local", "name": "my_playbook", "active": True},
        {"repository": "examples", "name": "my_playbook", "active": True},
        {"repository": "examples", "name": "only_examples", "active": True},
        {"repository": "local", "name": "broken", "error": "SyntaxError: invalid syntax"},
        {"repository": "local", "name": "disabled", "disabled": True},
        {"repository": "local", "name": "inactive", "active": False},
        {"repository": "local", "name": "[DRE][Malware Handling-Finalv2]: UAT", "active": True},
    ]
    async with database.begin() as connection:
        ids = [
            await connection.scalar(insert(playbooks).values(**row).returning(playbooks.c.id))
            for row in rows
        ]
    return Shelf(*ids)


@pytest.fixture
async def container(client: httpx.AsyncClient) -> int:
    response = await client.post("/rest/container", json={"name": "incident", "label": "events"})
    identifier: int = response.json()["id"]
    return identifier


@pytest.fixture
def add_artifact(client: httpx.AsyncClient) -> Callable[[int], Awaitable[int]]:
    async def add(container: int) -> int:
        response = await client.post("/rest/artifact", json={"container_id": container})
        identifier: int = response.json()["id"]
        return identifier

    return add


@pytest.fixture
def start(
    client: httpx.AsyncClient, container: int, shelf: Shelf
) -> Callable[..., Awaitable[httpx.Response]]:
    """Starts local/my_playbook on `container`; further fields change or add to the body."""

    async def start(**fields: Any) -> httpx.Response:
        body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
        body = {name: value for name, value in (body | fields).items() if value is not ...}
        return await client.post("/rest/playbook_run", json=body)

    return start


@pytest.fixture
def read(client: httpx.AsyncClient) -> Callable[[int | str], Awaitable[dict[str, Any]]]:
    """Reads a run that exists."""

    async def read(playbook_run_id: int | str) -> dict[str, Any]:
        response = await client.get(f"/rest/playbook_run/{playbook_run_id}")
        assert response.status_code == 200, response.text
        run: dict[str, Any] = response.json()
        return run

    return read


@pytest.fixture
async def run_id(start: Callable[..., Awaitable[httpx.Response]]) -> int:
    """A run that has just been accepted."""
    return int((await start()).json()["playbook_run_id"])


@pytest.fixture
def change(database: Database) -> Callable[..., Awaitable[None]]:
    """Writes columns of a run, as the parts behind the contract would."""

    async def change(playbook_run_id: int | str, **columns: Any) -> None:
        async with database.begin() as connection:
            await connection.execute(
                update(playbook_runs)
                .where(playbook_runs.c.id == int(playbook_run_id))
                .values(**columns)
            )

    return change


@pytest.fixture(scope="module")
async def runtime(database, dispatch, reconcile, announced):
    """A client of the runtime API that shows nothing of its own."""
    application = create_runtime_application(
        database=database,
        settings=Settings(runtime_key=SecretStr(KEY)),
        dispatch=dispatch,
        reconcile=reconcile,
        hints=Hints(lambda _: None),
        announce=announced.append,
    )
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://runtime") as client:
        yield client


@pytest.fixture
def ask(runtime):
    """Sends a message with a token, or with none."""

    async def ask(path: str, token: str | None, message: object = None) -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        body = {"content": message} if isinstance(message, bytes) else {"json": message}
        return await runtime.post(f"/runtime/{path}", headers=headers, **body)

    return ask


@pytest.fixture
async def hand_over(start, change):
    """Makes a run that stands in Prefect; returns the message of the process that claims it."""

    async def hand_over() -> dict:
        body = (await start()).json()
        flow_run_id = uuid4()
        await change(
            body["playbook_run_id"], dispatch_time=datetime.now(UTC), flow_run_id=flow_run_id
        )
        return {
            "claim_id": str(uuid4()), "flow_run_id": str(flow_run_id), "deployment_id": None,
            "playbook": "my_playbook", "playbook_run_id": int(body["playbook_run_id"]),
            "container_id": 1, "scope": "all", "inputs": None, "worker": None, "hostname": "h",
            "process_id": 7, "process_start": 1.5,
        }  # fmt: skip

    return hand_over


@pytest.fixture
def holder(database):
    """Has a new process on a machine take the name of a worker; returns who has it then."""

    async def holder(name: str, machine: str) -> dict[str, str]:
        wanted = Holder(holder=uuid4(), hostname="h", process_id=1, process=f"{machine} 1 1")
        await worker_names.take(database, name, wanted, connection := uuid4(), dead=None)
        await worker_names.give_back(database, name, connection)
        return {"holder": str(wanted.holder)}

    return holder


@pytest.fixture
async def claim(ask, hand_over):
    """Makes a run and claims it; returns the answer, with its token."""

    async def claim() -> dict:
        answer = await ask("claim", KEY, await hand_over())
        assert answer.status_code == 200, answer.text
        return answer.json()

    return claim
