"""Contract 3: assets, and the apps that they are for. Secrets: `test_asset_secrets.py`."""

from __future__ import annotations

from uuid import uuid4

import pytest

SETTINGS = {"host": "192.0.2.43", "port": 43, "nested": {"timeout": 5}, "url": "https://x.example/"}


@pytest.fixture
def name() -> str:
    return f"asset {uuid4().hex}"


@pytest.fixture
async def made(client, name) -> int:
    body = {"name": name, "app": "WHOIS", "configuration": SETTINGS, "unknown": 1}
    response = await client.post("/rest/asset", json=body)
    assert response.status_code == 200, response.text
    identifier: int = response.json()["id"]
    assert response.json() == {"success": True, "id": identifier}
    return identifier


async def test_one_is_made_and_read_with_its_app(client, made, name):
    one = (await client.get(f"/rest/asset/{made}?pretty")).json()
    assert (one["name"], one["configuration"], one["disabled"]) == (name, SETTINGS, False)
    assert (one["_pretty_app"], one["product_name"]) == ("WHOIS", "WHOIS")
    app = (await client.get(f"/rest/app/{one['app']}")).json()
    assert app["name"] == "WHOIS"
    [listed] = (await client.get(f'/rest/asset?_filter_name__icontains="{name.upper()}"')).json()[
        "data"
    ]
    assert listed["id"] == made
    [found] = (await client.get(f"/rest/app?_filter_asset__id={made}")).json()["data"]
    assert found["id"] == one["app"]
    assert (await client.get(f"/rest/asset?_filter_app={one['app']}")).json()["count"] >= 1
    [entry] = (await client.get("/rest/audit?page_size=1")).json()
    assert (entry["path"], entry["object_id"]) == ("/rest/asset", made)


async def test_a_change_replaces_what_it_names(client, made, name):
    before = (await client.get(f"/rest/asset/{made}")).json()
    changes = {"configuration": {"host": "h"}, "disabled": True, "description": "d"}
    response = await client.post(f"/rest/asset/{made}", json=changes)
    assert response.json() == {"success": True, "id": made}
    after = (await client.get(f"/rest/asset/{made}")).json()
    assert {key: after[key] for key in changes} == changes
    assert (after["name"], after["app"], after["version"]) == (name, before["app"], 2)
    moved = await client.post(f"/rest/asset/{made}", json={"app": before["app"]})
    assert moved.status_code == 200
    assert (await client.get(f"/rest/asset/{made}")).json()["product_name"] == "WHOIS"


@pytest.mark.parametrize(
    ("configuration", "named"),
    [
        ({"a": {"Client_Secret": "hunter2"}}, "configuration.a.Client_Secret"),
        ({"a": [{"api_key": "hunter2"}]}, "configuration.a.api_key"),
        ({"a": {"b": {"auth_token": "hunter2"}}}, "configuration.a.b.auth_token"),
        ({"proxy": "http://user:hunter2@proxy.example"}, "configuration.proxy"),
    ],
)
async def test_what_looks_secret_is_refused_and_not_repeated(
    client, made, name, configuration, named
):
    new = {"name": f"other {name}", "app": "WHOIS", "configuration": configuration}
    for path, body in (
        ("/rest/asset", new),
        (f"/rest/asset/{made}", {"configuration": configuration}),
    ):
        response = await client.post(path, json=body)
        assert response.status_code == 400
        assert response.json()["message"] == (
            f'"{named}" looks secret and is not stored: only settings themselves are kept secret, '
            "not what is in lists and objects or part of a URL"
        )
    assert (await client.get(f"/rest/asset/{made}")).json()["configuration"] == SETTINGS


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "The request names nothing that can be changed; an asset takes name, app"),
        ({"configuration": []}, "configuration must be an object"),
        ({"disabled": "maybe"}, "disabled must be true or false"),
        ({"name": ""}, "name must be a string that is not empty"),
        ({"app": []}, "app must be a string"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(client, made, fields, message):
    response = await client.post(f"/rest/asset/{made}", json=fields)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)


async def test_names_are_given_once_and_needed(client, made, name):
    again = await client.post("/rest/asset", json={"name": name, "app": "WHOIS"})
    assert (again.status_code, again.json()["message"]) == (400, f'Asset "{name}" already exists')
    other = {"name": f"other {name}", "app": "WHOIS"}
    assert (await client.post("/rest/asset", json=other)).status_code == 200
    taken = await client.post(f"/rest/asset/{made}", json={"name": other["name"]})
    assert taken.json()["message"] == f'Asset "{other["name"]}" already exists'
    for missing in ("name", "app"):
        response = await client.post("/rest/asset", json=other | {missing: None})
        assert response.json()["message"] == f"{missing} is required"
    unknown = await client.post("/rest/asset", json={"name": f"third {name}", "app": 999999})
    assert (unknown.status_code, unknown.json()["message"]) == (404, 'App "999999" not found')
    assert (await client.post("/rest/asset/999999", json={"disabled": True})).status_code == 404


async def test_only_administrators_change_assets(anonymous, credentials, made):
    headers = {"ph-auth-token": credentials.automation_token}
    assert (await anonymous.get(f"/rest/asset/{made}", headers=headers)).status_code == 200
    for path in ("/rest/asset", f"/rest/asset/{made}"):
        response = await anonymous.post(path, json={"name": "n"}, headers=headers)
        assert response.status_code == 403
