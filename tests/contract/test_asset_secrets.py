"""Secrets and limits of assets: kept in Prefect, and never shown to anybody."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from prefect_phantom.adapters.rest.contract.assets import asset_keeping
from prefect_phantom.adapters.store.database.database import SERVER_SETTINGS, Database

SECRET = "hunter2-žluťoučký"


@pytest.fixture
def name() -> str:
    return f"Asset {uuid4().hex}"


@pytest.fixture
def new(name) -> dict[str, Any]:
    return {
        "name": name,
        "app": "LDAP",
        "configuration": {"host": "192.0.2.5", "password": SECRET},
        "secrets": {"community": f"{SECRET}!"},
        "action_limit": 2,
    }


@pytest.fixture
async def made(client, new) -> int:
    response = await client.post("/rest/asset", json=new)
    assert response.status_code == 200, response.text
    identifier: int = response.json()["id"]
    return identifier


@pytest.fixture
def read(client):
    async def read(identifier: int) -> dict[str, Any]:
        response = await client.get(f"/rest/asset/{identifier}")
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    return read


async def test_secrets_are_kept_in_blocks_and_the_rest_in_the_row(made, read, keeper):
    asset = await read(made)
    assert asset["configuration"] == {"host": "192.0.2.5"}
    blocks = asset["secret_blocks"]
    assert {setting: keeper.secrets[block] for setting, block in blocks.items()} == {
        "password": SECRET,
        "community": f"{SECRET}!",
    }
    assert asset["action_limit"] == 2


@pytest.mark.attack(
    "reading an asset's secret by any GET, list, filter, the audit, the log or our database",
    "it is in none of them",
)
async def test_a_secret_is_shown_nowhere(client, made, new, database, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = new | {"name": f"other {new['name']}", "secrets": {"community": [SECRET]}}
    answers = [await client.post("/rest/asset", json=wrong)]
    assert answers[0].status_code == 400
    answers.append(await client.post(f"/rest/asset/{made}", json={"secrets": {"other": SECRET}}))
    answers += [
        await client.get(path)
        for path in (
            f"/rest/asset/{made}",
            f"/rest/asset/{made}?pretty",
            f"/rest/asset/{made}/configuration",
            "/rest/asset?page_size=0",
            f'/rest/asset?_filter_configuration__icontains="{SECRET}"',
            f"/rest/search?query={SECRET}",
            "/rest/audit",
        )
    ]
    assert [answer.text for answer in answers if SECRET in json.dumps(answer.text)] == []
    assert SECRET not in caplog.text
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT assets::text FROM assets"))).scalars().all()
        assert rows
        assert not any(SECRET in row for row in rows)


async def test_a_change_of_settings_keeps_secrets_that_it_does_not_name(client, made, read, keeper):
    before = (await read(made))["secret_blocks"]
    change = {"configuration": {"host": "192.0.2.5", "filter": "*", "password": "other"}}
    assert (await client.post(f"/rest/asset/{made}", json=change)).status_code == 200
    after = await read(made)
    assert after["configuration"] == {"host": "192.0.2.5", "filter": "*"}
    assert after["secret_blocks"] == before
    assert keeper.secrets[before["password"]] == "other"
    assert keeper.secrets[before["community"]] == f"{SECRET}!"


async def test_what_was_read_can_be_sent_back(client, made, read, keeper):
    before = await read(made)
    kept = dict(keeper.secrets)
    assert (await client.post(f"/rest/asset/{made}", json=before)).status_code == 200
    after = await read(made)
    assert keeper.secrets == kept
    assert {**after, "version": 1, "update_time": None} == {**before, "update_time": None}


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("field", ["secrets", "configuration"])
async def test_nothing_in_the_place_of_a_secret_clears_it(
    client, made, read, keeper, field, nothing
):
    block = (await read(made))["secret_blocks"]["password"]
    change = {field: {"password": nothing}}
    assert (await client.post(f"/rest/asset/{made}", json=change)).status_code == 200
    assert list((await read(made))["secret_blocks"]) == ["community"]
    assert block not in keeper.secrets


async def test_what_an_app_declares_or_was_secret_before_is_secret(client, name, read, keeper):
    new = {"name": name, "app": "Declares", "configuration": {"community": "a", "plain": "b"}}
    made = (await client.post("/rest/asset", json=new)).json()["id"]
    asset = await read(made)
    assert asset["configuration"] == {"plain": "b"}
    assert keeper.secrets[asset["secret_blocks"]["community"]] == "a"
    with_password = {"configuration": {"community": f"https://user:{SECRET}@h.example"}}
    assert (await client.post(f"/rest/asset/{made}", json=with_password)).status_code == 200
    await client.post(f"/rest/asset/{made}", json={"secrets": {"serial": "c"}})
    await client.post(f"/rest/asset/{made}", json={"configuration": {"serial": "d"}})
    asset = await read(made)
    assert asset["configuration"] == {}
    assert keeper.secrets[asset["secret_blocks"]["serial"]] == "d"


async def test_a_limit_is_changed_and_taken_away(client, made, read, keeper, name):
    [limit] = [limit for limit in keeper.limits if name.lower().replace(" ", "-")[:30] in limit]
    assert keeper.limits[limit] == 2
    await client.post(f"/rest/asset/{made}", json={"action_limit": 5})
    assert keeper.limits[limit] == 5
    await client.post(f"/rest/asset/{made}", json={"action_limit": None})
    assert limit not in keeper.limits
    assert (await read(made))["action_limit"] is None


@pytest.mark.parametrize("by", ["DELETE", "POST"])
async def test_a_deleted_asset_leaves_nothing_in_prefect(
    client, anonymous, credentials, made, read, keeper, by
):
    asset = await read(made)
    path, login = f"/rest/asset/{made}", ("admin", credentials.password)
    if by == "DELETE":
        response = await anonymous.delete(path, auth=login)
    else:
        response = await client.post(path, json={"delete": True})
    assert response.json() == {"success": True, "id": made}
    assert (await client.get(path)).status_code == 404
    assert not set(asset["secret_blocks"].values()) & set(keeper.secrets)
    assert not any(asset["name"].lower()[6:] in limit for limit in keeper.limits)
    assert (await client.post(path, json={"delete": True})).status_code == 404


@pytest.mark.parametrize(
    "request_",
    [
        ("new", {}),
        ("made", {"secrets": {"password": "new"}, "description": "new"}),
        ("made", {"action_limit": None, "description": "new"}),
        ("made", {"delete": True}),
    ],
    ids=str,
)
async def test_while_prefect_does_not_answer_nothing_is_stored(
    client, made, new, read, keeper, request_
):
    path, body = request_
    other = new | {"name": f"other {new['name']}"}
    before, kept = await read(made), (dict(keeper.secrets), dict(keeper.limits))
    keeper.away = True
    try:
        response = await client.post(
            "/rest/asset" if path == "new" else f"/rest/asset/{made}",
            json=other if path == "new" else body,
        )
    finally:
        keeper.away = False
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json()["message"] == (
        "Prefect, where secrets and limits of assets are kept, does not answer; "
        "nothing was stored, try again later"
    )
    assert await read(made) == before
    assert (keeper.secrets, keeper.limits) == kept
    listed = (await client.get(f'/rest/asset?_filter_name="{other["name"]}"')).json()
    assert listed["count"] == 0


async def test_if_prefect_stops_answering_halfway_no_new_secret_is_left_there(
    client, made, new, keeper, monkeypatch
):
    kept = dict(keeper.secrets)
    monkeypatch.setattr(keeper, "limits_fail", True)
    other = new | {"name": f"other {new['name']}"}
    for path, body in (
        ("/rest/asset", other),
        (f"/rest/asset/{made}", {"secrets": {"further": SECRET}, "action_limit": 3}),
    ):
        assert (await client.post(path, json=body)).status_code == 503
        assert keeper.secrets == kept


@pytest.mark.usefixtures("made")
async def test_an_asset_that_cannot_be_made_leaves_no_secret(client, new, keeper):
    kept = dict(keeper.secrets)
    response = await client.post("/rest/asset", json=new)
    assert response.json()["message"] == f'Asset "{new["name"]}" already exists'
    assert keeper.secrets == kept


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"secrets": [SECRET]}, '"secrets" must be an object'),
        (
            {"secrets": {"password": {"a": SECRET}}},
            '"secrets.password" must be a text of at most 65536 characters, or null',
        ),
        (
            {"configuration": {"api_key": 12345}},
            '"configuration.api_key" must be a text of at most 65536 characters, or null',
        ),
        (
            {"secrets": {"a": SECRET}, "configuration": {"a": "b"}},
            '"secrets.a" must be left out beside configuration.a',
        ),
    ],
)
async def test_a_secret_that_makes_no_sense_is_refused_and_not_repeated(
    client, made, fields, message
):
    response = await client.post(f"/rest/asset/{made}", json=fields)
    assert response.status_code == 400
    assert response.json()["message"] == f"{message}; it is secret and not repeated here"


@pytest.mark.parametrize("limit", [0, -1, 1001, "2", True, 1.5])
async def test_a_limit_that_makes_no_sense_is_refused(client, made, limit):
    response = await client.post(f"/rest/asset/{made}", json={"action_limit": limit})
    assert response.json()["message"] == (
        f"action_limit must be an integer from 1 to 1000, or null, not {json.dumps(limit)}"
    )


@pytest.fixture
async def slow_prefect(database, keeper, monkeypatch):
    """Connections that end at once when they stand still, and Prefect that takes longer."""
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", "20")
    hasty = Database(database.url)

    def slow(call):
        async def answer(*given: object) -> None:
            async with database.read() as connection:
                await connection.execute(text("SELECT pg_sleep(0.1)"))
            await call(*given)

        return answer

    for name in ("save_secret", "delete_secret", "save_limit", "delete_limit"):
        monkeypatch.setattr(keeper, name, slow(getattr(keeper, name)))
    yield hasty
    await hasty.close()


async def test_an_asset_is_written_however_slow_prefect_is(
    new, keeper, build, connect, settings, slow_prefect
):
    async with connect(build(settings, database=slow_prefect)) as client:
        response = await client.post("/rest/asset", json=new)
        assert response.status_code == 200, response.text
        path = f"/rest/asset/{response.json()['id']}"
        response = await client.post(path, json={"secrets": {"password": "new"}})
        assert response.status_code == 200, response.text
        blocks = (await client.get(path)).json()["secret_blocks"]
        assert keeper.secrets[blocks["password"]] == "new"
        response = await client.post(path, json={"delete": True})
        assert response.status_code == 200, response.text
        assert (await client.get(path)).status_code == 404


async def test_prefect_is_waited_for_no_longer_than_the_transaction_lasts(
    client, made, read, keeper, monkeypatch
):
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    before = await read(made)
    monkeypatch.setattr(asset_keeping, "KEEPING_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "save_secret", never)
    monkeypatch.setattr(keeper, "delete_secret", never)
    path = f"/rest/asset/{made}"
    for body in ({"secrets": {"password": "new"}, "description": "new"}, {"delete": True}):
        response = await client.post(path, json=body)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert await read(made) == before
