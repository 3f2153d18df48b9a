"""Our decisions: /rest/ph_user makes automation users."""

from __future__ import annotations

import asyncio

import pytest


async def test_an_administrator_makes_an_automation_user_whose_token_works(client, anonymous):
    body = {"username": "siem", "type": "automation"}
    response = await client.post("/rest/ph_user", json=body)
    assert response.status_code == 200
    assert list(response.json()) == ["success", "id", "token"]
    identifier, token = response.json()["id"], response.json()["token"]
    assert len(token) >= 43
    read = await anonymous.get(f"/rest/ph_user/{identifier}", headers={"ph-auth-token": token})
    assert read.json() == {
        "id": identifier,
        "username": "siem",
        "type": "automation",
        "is_active": True,
        "roles": ["Automation"],
        "permissions": ["cancel", "edit_containers", "run_playbooks", "view"],
        "allowed_ips": ["any"],
    }


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
        ({"username": "new"}, 'type must be "automation" or "normal", not null'),
        ({"username": "new", "type": "ldap"}, 'type must be "automation" or "normal", not "ldap"'),
        ({"username": "new", "type": "normal"}, "password is required"),
        (
            {"username": "new", "type": "automation", "password": "long enough"},
            "An automation user has tokens and no password",
        ),
        (
            {"username": "new", "type": "normal", "password": "short"},
            "password must be a string of 8 to 1000 characters",
        ),
        (
            {"username": "new", "type": "normal", "password": 12345678},
            "password must be a string of 8 to 1000 characters",
        ),
        ({"username": "new", "type": "automation", "roles": "Observer"}, "roles must be a list"),
        ({"username": "new", "type": "automation", "roles": [{}]}, "roles must be a list"),
        (
            {"username": "new", "type": "automation", "expire_time": "2020-01-01"},
            "expire_time must be a time to come",
        ),
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
    assert response.json()["message"] == 'User "script" lacks the permission "administer"'


@pytest.mark.parametrize("unknown", ["999999", "admin", "0", "9" * 30])
async def test_an_unknown_user_is_not_found(client, unknown):
    response = await client.get(f"/rest/ph_user/{unknown}")
    assert response.status_code == 404
    assert response.json()["message"] == f'User "{unknown}" not found'


async def test_a_role_that_is_not_there_is_not_found(client):
    for role in ("Emperor", 4711, "4711"):
        body = {"username": "new", "type": "automation", "roles": [role]}
        response = await client.post("/rest/ph_user", json=body)
        assert response.status_code == 404
        assert response.json()["message"] == f'Role "{role}" not found'


async def test_a_person_signs_in_by_a_password_that_an_administrator_changes(client, anonymous):
    body = {"username": "ana", "type": "normal", "password": "first secret"}
    made = (await client.post("/rest/ph_user", json=body)).json()
    assert list(made) == ["success", "id"]
    path = f"/rest/ph_user/{made['id']}"
    assert (await anonymous.get(path, auth=("ana", "first secret"))).json()["roles"] == ["Observer"]
    assert (await client.post(path, json={"password": "second secret"})).status_code == 200
    old = await anonymous.get(path, auth=("ana", "first secret"))
    new = await anonymous.get(path, auth=("ana", "second secret"))
    assert (old.status_code, new.status_code) == (401, 200)


async def test_a_user_who_is_disabled_is_refused_until_that_is_undone(client, anonymous):
    body = {"username": "contractor", "type": "automation"}
    made = (await client.post("/rest/ph_user", json=body)).json()
    path, headers = f"/rest/ph_user/{made['id']}", {"ph-auth-token": made["token"]}
    for active, status in ((False, 401), (True, 200)):
        assert (await client.post(path, json={"is_active": active})).status_code == 200
        assert (await anonymous.get(path, headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"username": "other"}, "No other field can be updated"),
        ({"is_active": "yes"}, "is_active must be true or false"),
        ({"password": "short"}, "password must be a string of 8 to 1000 characters"),
    ],
)
async def test_what_cannot_be_changed_is_refused(client, credentials, body, message):
    response = await client.post(f"/rest/ph_user/{credentials.administrator_id}", json=body)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    assert "short" not in response.text


@pytest.mark.usefixtures("credentials")
async def test_automation_users_are_listed_only_when_they_are_asked_for(client):
    async def names(query: str) -> set[str]:
        answer = await client.get(f"/rest/ph_user?page_size=0{query}")
        return {user["username"] for user in answer.json()["data"]}

    assert "script" not in await names("")
    assert "admin" in await names("")
    assert "script" in await names("&include_automation")
    assert "script" in await names("&include_automation=1")
    assert "script" not in await names("&include_automation=false")


async def test_tokens_are_added_listed_and_revoked_one_by_one(client, anonymous):
    body = {"username": "rotating", "type": "automation"}
    first = (await client.post("/rest/ph_user", json=body)).json()
    path = f"/rest/ph_user/{first['id']}/token"
    end = "2090-01-01T00:00:00Z"
    second = (await client.post(path, json={"expire_time": end})).json()
    listed = (await client.get(path)).json()["data"]
    assert [token["expire_time"] for token in listed] == [None, "2090-01-01T00:00:00.000000Z"]
    assert second["token"] not in str(listed)
    revoked = await client.post(f"{path}/{listed[0]['id']}", json={"revoke": True})
    assert revoked.status_code == 200
    me = f"/rest/ph_user/{first['id']}"
    old = await anonymous.get(me, headers={"ph-auth-token": first["token"]})
    new = await anonymous.get(me, headers={"ph-auth-token": second["token"]})
    assert (old.status_code, new.status_code) == (401, 200)


async def test_a_token_is_revoked_by_whom_it_belongs_to_alone(client, credentials):
    body = {"username": "robbed", "type": "automation"}
    made = (await client.post("/rest/ph_user", json=body)).json()
    token = (await client.get(f"/rest/ph_user/{made['id']}/token")).json()["data"][0]["id"]
    other = f"/rest/ph_user/{credentials.automation_id}/token/{token}"
    assert (await client.post(other, json={"revoke": True})).status_code == 404
    own = f"/rest/ph_user/{made['id']}/token/{token}"
    assert (await client.post(own, json={"revoke": False})).status_code == 400
    assert (await client.post(own, json={"revoke": True})).status_code == 200


async def test_a_person_has_no_token(client, credentials):
    path = f"/rest/ph_user/{credentials.administrator_id}/token"
    response = await client.post(path, json={})
    assert response.status_code == 400
    assert "is not an automation user" in response.json()["message"]
