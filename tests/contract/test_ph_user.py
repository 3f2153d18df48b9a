"""Our decisions: /rest/ph_user makes automation users."""

from __future__ import annotations

import asyncio

import pytest

pytestmark = pytest.mark.anyio


async def test_an_administrator_makes_an_automation_user_whose_token_works(client, anonymous):
    body = {"username": "siem", "type": "automation"}
    response = await client.post("/rest/ph_user", json=body)
    assert response.status_code == 200
    assert list(response.json()) == ["success", "id", "token"]
    identifier, token = response.json()["id"], response.json()["token"]
    assert len(token) >= 43
    read = await anonymous.get(f"/rest/ph_user/{identifier}", headers={"ph-auth-token": token})
    assert read.json() == {"id": identifier, "username": "siem", "type": "automation"}


async def test_a_name_can_be_taken_once(client):
    body = {"username": "taken", "type": "automation"}
    responses = await asyncio.gather(*(client.post("/rest/ph_user", json=body) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [200, 400, 400, 400]
    assert (await client.post("/rest/ph_user", json=body)).json() == {
        "failed": True,
        "message": 'User "taken" already exists',
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "automation"}, "username is required"),
        ({"username": "", "type": "automation"}, "username must be a string that is not empty"),
        ({"username": 1, "type": "automation"}, "username must be a string"),
        ({"username": "a:b", "type": "automation"}, "username must be printable characters"),
        ({"username": "a\nb", "type": "automation"}, "username must be printable characters"),
        ({"username": "x" * 151, "type": "automation"}, "username must be a string of at most"),
        ({"username": "new"}, 'type must be "automation", not null'),
        ({"username": "new", "type": "normal"}, 'type must be "automation", not "normal"'),
    ],
)
async def test_what_is_no_such_user_is_refused(client, body, message):
    response = await client.post("/rest/ph_user", json=body)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)


async def test_others_lack_the_permission(anonymous, credentials):
    response = await anonymous.post(
        "/rest/ph_user",
        json={"username": "mine", "type": "automation"},
        headers={"ph-auth-token": credentials.automation_token},
    )
    assert response.status_code == 403
    assert response.json()["message"] == 'User "script" lacks the permission "administrator"'


@pytest.mark.parametrize("unknown", ["999999", "admin", "0", "9" * 30])
async def test_an_unknown_user_is_not_found(client, unknown):
    response = await client.get(f"/rest/ph_user/{unknown}")
    assert response.status_code == 404
    assert response.json()["message"] == f'User "{unknown}" not found'
