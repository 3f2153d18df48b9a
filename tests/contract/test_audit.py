"""Who asked for what and what came of it is kept, and cannot be changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from prefect_phantom.adapters.rest.layers.audited import Allowance
from prefect_phantom.adapters.store.accounts import audit
from prefect_phantom.adapters.store.case import containers

Entries = Callable[[], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def new_entries(client: httpx.AsyncClient) -> Entries:
    """The entries since the test began, the newest first."""
    begin = {entry["id"] for entry in (await client.get("/rest/audit")).json()}

    async def read() -> list[dict[str, Any]]:
        answer = await client.get("/rest/audit")
        assert answer.status_code == 200, answer.text
        return [entry for entry in answer.json() if entry["id"] not in begin]

    return read


@pytest.fixture
def body(container, shelf) -> dict[str, Any]:
    return {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}


async def test_an_accepted_run_is_noted_with_user_address_and_run(
    client, body, new_entries, credentials
):
    before = {entry["id"] for entry in await new_entries()}
    headers = {"ph-auth-token": credentials.automation_token}
    started = await client.post("/rest/playbook_run", json=body, headers=headers)
    [entry] = [entry for entry in await new_entries() if entry["id"] not in before]
    del entry["id"], entry["time"]
    assert entry == {
        "user": credentials.automation_id,
        "username": "script",
        "ip_address": "192.0.2.1",
        "method": "POST",
        "path": "/rest/playbook_run",
        "object_id": int(started.json()["playbook_run_id"]),
        "status": 200,
        "message": "",
    }


@pytest.mark.parametrize("further", [{"scope": "new"}, {"scope": []}, {"scope": "all"}])
@pytest.mark.parametrize("key", [None, "once"])
async def test_each_way_to_accept_a_run_notes_it_once(client, body, new_entries, further, key):
    before = {entry["id"] for entry in await new_entries()}
    headers = {} if key is None else {"Idempotency-Key": f"{key}-{further}".replace(" ", "")}
    started = await client.post("/rest/playbook_run", json=body | further, headers=headers)
    run_id = int(started.json()["playbook_run_id"])
    noted = [entry for entry in await new_entries() if entry["id"] not in before]
    assert [entry["object_id"] for entry in noted] == [run_id]
    if key is not None:
        again = await client.post("/rest/playbook_run", json=body | further, headers=headers)
        assert int(again.json()["playbook_run_id"]) == run_id
        noted = [entry for entry in await new_entries() if entry["id"] not in before]
        assert [entry["object_id"] for entry in noted] == [run_id, run_id]


async def test_a_refused_run_request_is_noted_with_its_outcome(client, body, new_entries):
    before = {entry["id"] for entry in await new_entries()}
    await client.post("/rest/playbook_run", json=body | {"playbook_id": "no such"})
    await client.post("/rest/playbook_run", json=body | {"run": "secret"})
    noted = [entry for entry in await new_entries() if entry["id"] not in before]
    assert [(entry["status"], entry["message"]) for entry in noted] == [
        (400, ""),  # what was sent is not repeated
        (404, 'Playbook "no such" not found'),
    ]
    assert {entry["username"] for entry in noted} == {"operator"}


async def test_every_change_is_noted_in_the_transaction_that_makes_it(
    client, new_entries, run_id, container, shelf, monkeypatch
):
    before = {entry["id"] for entry in await new_entries()}
    monkeypatch.setattr(audit, "add", None)  # what would note it afterwards
    user = {"username": "noted", "type": "automation"}
    user_id = (await client.post("/rest/ph_user", json=user)).json()["id"]
    changes: list[tuple[str, dict[str, Any]]] = [
        (f"/rest/playbook_run/{run_id}", {"cancel": True}),
        ("/rest/container", {"name": "noted", "label": "events"}),
        ("/rest/artifact", {"container_id": container}),
        (f"/rest/playbook/{shelf.bracketed}", {"id": 9999}),
        (f"/rest/ph_user/{user_id}", {"roles": ["Observer"]}),
        (f"/rest/ph_user/{user_id}/token", {}),
        ("/rest/role", {"name": "noted", "permissions": ["view"]}),
    ]
    for path, change in changes:
        assert (await client.post(path, json=change)).status_code == 200, path
    noted = [entry for entry in await new_entries() if entry["id"] not in before]
    assert [(entry["path"], entry["status"]) for entry in reversed(noted)] == [
        ("/rest/ph_user", 200),
        *((path, 200) for path, _ in changes),
    ]
    objects = {entry["path"]: entry["object_id"] for entry in noted}
    assert objects["/rest/ph_user"] == objects[f"/rest/ph_user/{user_id}"] == user_id
    assert objects[f"/rest/playbook_run/{run_id}"] == run_id
    assert objects[f"/rest/playbook/{shelf.bracketed}"] == 9999


async def test_requests_at_the_same_time_are_each_noted_as_their_own(
    client, body, new_entries, credentials
):
    before = {entry["id"] for entry in await new_entries()}
    users = {credentials.token: "operator", credentials.automation_token: "script"}

    async def run(number: int) -> tuple[str, int]:
        token = list(users)[number % 2]
        sent = body | {"scope": ["all", "new", []][number % 3]}
        answer = await client.post(
            "/rest/playbook_run", json=sent, headers={"ph-auth-token": token}
        )
        return users[token], int(answer.json()["playbook_run_id"])

    started = await asyncio.gather(*(run(number) for number in range(30)))
    noted = [entry for entry in await new_entries() if entry["id"] not in before]
    runs = [each for each in noted if each["path"] == "/rest/playbook_run"]
    assert sorted((each["username"], each["object_id"]) for each in runs) == sorted(started)


async def test_what_only_reads_is_not_noted(client, new_entries, run_id):
    before = await new_entries()
    await client.get(f"/rest/playbook_run/{run_id}")
    await client.get("/rest/playbook_run/999999")
    await client.get("/rest/nothing")
    assert await new_entries() == before


async def test_a_change_that_fails_leaves_no_note_that_it_was_made(
    client, new_entries, monkeypatch
):
    async def broken(*_: object) -> None:
        raise RuntimeError

    before = {entry["id"] for entry in await new_entries()}
    monkeypatch.setattr(containers, "add", broken)
    container = {"name": "lost", "label": "events"}
    assert (await client.post("/rest/container", json=container)).status_code == 500
    [entry] = [entry for entry in await new_entries() if entry["id"] not in before]
    assert (entry["path"], entry["status"]) == ("/rest/container", 500)


async def test_strangers_and_the_forbidden_are_noted_also_when_they_only_read(
    anonymous, credentials, new_entries
):
    await anonymous.get("/rest/playbook_run/1")
    await anonymous.get("/rest/playbook_run/1", headers={"ph-auth-token": "wrong"})
    await anonymous.get("/rest/playbook_run/1", auth=("admin", "wrong"))
    headers = {"ph-auth-token": credentials.automation_token}
    await anonymous.get("/rest/audit", headers=headers)
    await anonymous.delete("/rest/container/1", headers=headers)
    noted = [(each["username"], each["status"], each["message"]) for each in await new_entries()]
    assert noted[:5] == [
        ("script", 403, "DELETE is refused to automation tokens; use a user's name and password"),
        ("script", 403, 'User "script" lacks the permission "administer"'),
        ("admin", 401, "Invalid username or password"),
        (None, 401, "Invalid automation token"),
        (None, 401, "No supported auth information provided in request"),
    ]


async def test_a_flood_of_refusals_is_noted_in_part_and_counted(client, build, new_entries):
    before = {entry["id"] for entry in await new_entries()}
    settings = client._transport.app.gateway.settings  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(build(settings), client=("203.0.113.5", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as stranger:
        for _ in range(Allowance.STRANGER + 30):
            assert (await stranger.get("/rest/role")).status_code == 401
    noted = [entry for entry in await new_entries() if entry["id"] not in before]
    assert len(noted) == Allowance.STRANGER


def test_what_was_left_out_is_told_when_the_minute_is_over(monkeypatch):
    allowance, now = Allowance(), 1000.0
    monkeypatch.setattr("prefect_phantom.adapters.rest.layers.audited.time.monotonic", lambda: now)
    assert allowance.left_out() == 0
    taken = [allowance.take(n % 50, known=False) for n in range(1000)]
    assert sum(taken) == Allowance.STRANGERS
    assert allowance.left_out() == 0
    assert allowance.take("user", known=True)
    now += Allowance.SECONDS
    assert allowance.left_out() == 1000 - Allowance.STRANGERS
    assert allowance.take(1, known=False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET status = 200",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DELETE FROM audit WHERE false",
    ],
)
@pytest.mark.usefixtures("run_id")
async def test_the_audit_can_only_be_added_to(database, statement):
    with pytest.raises(DBAPIError, match="can only be added to"):
        async with database.begin() as connection:
            await connection.execute(text(statement))


async def test_it_is_read_by_time_user_and_page(client, credentials, body):
    headers = {"ph-auth-token": credentials.automation_token}
    for _ in range(3):
        await client.post("/rest/playbook_run", json=body, headers=headers)

    async def read(**query: object) -> list[dict[str, Any]]:
        answer = await client.get("/rest/audit", params=query)
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()
        return entries

    mine = await read(user=credentials.automation_id, page_size="2")
    assert [entry["username"] for entry in mine] == ["script", "script"]
    later = await read(user=credentials.automation_id, page_size=2, page=1)
    assert later[0]["id"] < mine[1]["id"]
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await read(start=future) == []
    assert await read(end="2020-01-01", start="2019-01-01") == []
    assert len(await read(end=future)) > 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("start=yesterday", "start must be an ISO 8601 time"),
        ("user=admin", "user must be an integer id"),
        ("page=-1", "page must be an integer of 0 or more"),
        ("page=99999999999", "page must be an integer of 0 or more"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(client, query, message):
    response = await client.get(f"/rest/audit?{query}")
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
