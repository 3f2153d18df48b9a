"""Our decision: the runtime API reads nothing of a stranger's, and asks no database about him."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from pydantic import SecretStr

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.rest.runtime.runtime_credential import LOOKED_UP_AT_ONCE
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.runs.attempts import token_hash
from tests.runtime_key import KEY


@pytest.fixture(scope="module")
def build_runtime(dispatch, reconcile):
    """Makes the runtime API on a database."""

    def build(database):
        return create_runtime_application(
            database=database,
            settings=Settings(runtime_key=SecretStr(KEY)),
            dispatch=dispatch,
            reconcile=reconcile,
            hints=Hints(lambda _: None),
        )

    return build


async def _status(application, route, shown: str | None, address: str = "192.0.2.1") -> int:
    """What a request gets whose body nobody may ask for."""
    path = route.path
    for name, convertor in route.param_convertors.items():
        path = path.replace(f"{{{name}:int}}", "1").replace(f"{{{name}}}", "w1")
        assert convertor is not None
    sent = []

    async def receive():
        pytest.fail(f"The body of {path} was read")

    async def send(message):
        sent.append(message)

    headers = [] if shown is None else [(b"authorization", b"Bearer " + shown.encode())]
    scope = {
        "type": "http", "method": next(iter(route.methods - {"HEAD"})), "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": headers,
        "client": (address, 5), "server": ("h", 1), "scheme": "http", "http_version": "1.1",
        "root_path": "",
    }  # fmt: skip
    await application(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.attack(
    "a body of 62 MB to the runtime API, with no key, a wrong one, or a token that was made up",
    "401 or 409, and nothing of it is read",
)
@pytest.mark.parametrize(
    "shown", [None, "", "wrong", KEY + "x", "x" * 43, "x" * 43 + "." + "y" * 43, ".", "é.é"]
)
async def test_no_body_of_a_stranger_is_read(database, build_runtime, shown):
    application = build_runtime(database)
    assert len(application.routes) > 20
    for route in application.routes:
        assert await _status(application, route, shown) in {401, 409}, route.path


class Counted:
    """A database that knows no token, and how many were looked up at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def fetch(self, *_, **__) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1


class Held:
    """A database that knows no token, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.go_on = asyncio.Semaphore(0)

    async def fetch(self, *_, **__) -> None:
        self.asked.release()
        await self.go_on.acquire()


@pytest.mark.attack(
    "tokens of attempts that are made up, many at once", "hold two connections at most"
)
async def test_tokens_that_are_made_up_hold_few_connections(build_runtime):
    database = Counted()
    application = build_runtime(database)
    route = next(each for each in application.routes if each.path == "/runtime/end")
    statuses = await asyncio.gather(
        *(_status(application, route, f"{number}.x") for number in range(20))
    )
    assert set(statuses) == {409}
    assert database.most == LOOKED_UP_AT_ONCE


@pytest.mark.attack(
    "tokens of attempts that are made up, many at once, so that others wait for their look-up",
    "who comes from another address is the next one served",
)
async def test_a_token_of_an_older_gateway_waits_for_none_from_another_address(build_runtime):
    database = Held()
    application = build_runtime(database)
    route = next(each for each in application.routes if each.path == "/runtime/end")
    guesses = [
        asyncio.create_task(_status(application, route, f"{number}.x")) for number in range(20)
    ]
    for _ in range(LOOKED_UP_AT_ONCE):
        await database.asked.acquire()
    other = asyncio.create_task(_status(application, route, "older", address="192.0.2.2"))
    for _ in range(20 * len(guesses)):  # each has its turn, in a pass of the loop
        await asyncio.sleep(0)
    for _ in range(2 * LOOKED_UP_AT_ONCE):
        database.go_on.release()
    assert await other == 409
    assert sum(each.done() for each in guesses) < len(guesses) / 2
    for _ in guesses:
        database.go_on.release()
    await asyncio.gather(*guesses)


async def test_a_token_of_an_older_gateway_is_looked_up_and_holds(ask, claim, change, read):
    run = await claim()
    older = uuid4().hex
    await change(run["playbook_run_id"], attempt_token_hash=token_hash(older))
    assert (await ask("leave", run["token"])).status_code == 409
    assert (await ask("leave", older)).status_code == 200
    end = {"status": "success", "message": ""}
    assert (await ask("end", older, end)).status_code == 200
    assert (await read(run["playbook_run_id"]))["status"] == "success"


async def test_a_signed_token_costs_no_statement_of_its_own(claim, build_runtime):
    """A gateway whose database fails when it is asked takes the signature for good."""
    run = await claim()
    application = build_runtime(None)
    route = next(each for each in application.routes if each.path == "/runtime/slots")
    with pytest.raises(pytest.fail.Exception, match="was read"):
        await _status(application, route, run["token"])
