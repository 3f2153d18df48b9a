"""Our decisions: roles, and the permission that each route needs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import httpx
import pytest
from sqlalchemy import text

from prefect_phantom.adapters.between.permissions import ADMINISTRATOR, Permission
from prefect_phantom.adapters.rest import application as rest_application
from prefect_phantom.adapters.rest.contract.route import EVERYONE, Resource
from prefect_phantom.adapters.store.accounts import accounts, roles, users
from prefect_phantom.adapters.store.accounts.accounts import Changes
from prefect_phantom.adapters.store.accounts.credentials import Credentials
from prefect_phantom.adapters.store.database.notices import CREDENTIALS, Notices

SHIPPED = {
    "Administrator": set(Permission),
    "Automation": set(Permission) - {Permission.ADMINISTER},
    "Automation Engineer": {Permission.VIEW, Permission.RUN_PLAYBOOKS, Permission.CANCEL},
    "Incident Commander": set(Permission) - {Permission.ADMINISTER},
    "Observer": {Permission.VIEW},
}
NEEDED = {
    ("GET", "/rest/playbook_run/{id}"): Permission.VIEW,
    ("POST", "/rest/playbook_run/{id}"): Permission.CANCEL,
    ("POST", "/rest/playbook_run"): Permission.RUN_PLAYBOOKS,
    ("POST", "/rest/container"): Permission.EDIT_CONTAINERS,
    ("GET", "/rest/container/{id}"): Permission.VIEW,
    ("POST", "/rest/container/{id}"): Permission.EDIT_CONTAINERS,
    ("POST", "/rest/artifact"): Permission.EDIT_CONTAINERS,
    ("POST", "/rest/artifact/{id}"): Permission.EDIT_CONTAINERS,
    ("DELETE", "/rest/container/{id}"): Permission.ADMINISTER,
    ("DELETE", "/rest/artifact/{id}"): Permission.EDIT_CONTAINERS,
    ("DELETE", "/rest/note/{id}"): Permission.EDIT_CONTAINERS,
    ("DELETE", "/rest/container_pin/{id}"): Permission.EDIT_CONTAINERS,
    ("DELETE", "/rest/decided_list/{id}"): Permission.EDIT_CONTAINERS,
    ("POST", "/rest/playbook/{id}"): Permission.ADMINISTER,
    ("POST", "/rest/ph_user"): Permission.ADMINISTER,
    ("POST", "/rest/ph_user/{id}"): Permission.ADMINISTER,
    ("GET", "/rest/ph_user/{id}/token"): Permission.ADMINISTER,
    ("POST", "/rest/ph_user/{id}/token"): Permission.ADMINISTER,
    ("POST", "/rest/ph_user/{id}/token/{token_id}"): Permission.ADMINISTER,
    ("POST", "/rest/role"): Permission.ADMINISTER,
    ("POST", "/rest/role/{id}"): Permission.ADMINISTER,
    ("GET", "/rest/audit"): Permission.ADMINISTER,
}
"""Of the most that matter; the rest is what the table of routes says."""


@pytest.fixture
def call_as(
    client: httpx.AsyncClient,
) -> Callable[..., Awaitable[Callable[..., Awaitable[httpx.Response]]]]:
    """Makes a role of its own with some permissions, and calls as a user who has it."""
    names = iter(range(10_000))

    async def make(*permissions: str) -> Callable[..., Awaitable[httpx.Response]]:
        name = f"user {next(names)} {'-'.join(permissions)}"
        role = {"name": f"role of {name}", "permissions": list(permissions)}
        assert (await client.post("/rest/role", json=role)).status_code == 200
        made = await client.post(
            "/rest/ph_user", json={"username": name, "type": "automation", "roles": [role["name"]]}
        )
        assert made.status_code == 200, made.text
        headers = {"ph-auth-token": made.json()["token"]}

        async def call(
            method: str, path: str, content: AsyncIterator[bytes] | None = None
        ) -> httpx.Response:
            body = {"json": {}} if content is None else {"content": content}
            return await client.request(method, path, headers=headers, **body)

        return call

    return make


def guarded() -> list[tuple[str, str, Permission]]:
    """Method, path and permission of each handler under /rest."""
    return [
        (method, route.path.replace("{field}", "id"), permission)
        for route in rest_application.ROUTES
        if isinstance(route.app, Resource)
        for method, (permission, _) in route.app.handlers.items()
        if permission is not EVERYONE and method != "HEAD"
    ]


def test_what_starts_changes_or_shows_secrets_needs_the_right_permission():
    table = {(method, path): permission for method, path, permission in guarded()}
    assert {each: table[each] for each in NEEDED} == NEEDED


def test_every_route_names_a_permission_and_only_open_pages_need_none():
    opened = set()
    for route in rest_application.ROUTES:
        if not isinstance(route.app, Resource):
            assert isinstance(route.app, rest_application.UnknownEndpoint)
            continue
        assert route.app.handlers, route.path
        for permission, _ in route.app.handlers.values():
            if permission is EVERYONE:
                opened.add(route.path)
            else:
                assert permission in set(Permission), route.path
    assert opened == {"/", "/healthz", "/readyz"}


@pytest.mark.attack("a body from a stranger, or from who may not send it", "401 or 403, unread")
async def test_no_body_is_read_of_who_may_not_send_it(anonymous, call_as):
    async def body() -> AsyncIterator[bytes]:
        pytest.fail("The body was read")
        yield b""

    without_permission = await call_as()
    for method, template, _ in guarded():
        path = re.sub(r"{\w+}", "1", template)
        assert (await anonymous.request(method, path, content=body())).status_code == 401
        assert (await without_permission(method, path, content=body())).status_code == 403


@pytest.mark.parametrize("permission", Permission)
async def test_without_a_permission_its_routes_are_refused_by_name(call_as, permission):
    call = await call_as(*(set(Permission) - {permission}))
    for method, template, needed in guarded():
        if method == "DELETE" and not template.startswith("/rest/decided_list/"):
            continue  # refused to tokens, whatever else they may do
        path = re.sub(r"{\w+}", "1", template)
        response = await call(method, path)
        if needed is permission:
            assert response.status_code == 403, (method, path)
            assert f'lacks the permission "{permission}"' in response.json()["message"]
        else:
            assert response.status_code != 403, (method, path, response.text)


async def test_the_shipped_roles_are_the_vendors(client):
    roles = {
        role["name"]: role for role in (await client.get("/rest/role?page_size=0")).json()["data"]
    }
    for name, permissions in SHIPPED.items():
        assert set(roles[name]["permissions"]) == permissions
        assert roles[name]["immutable"] is True


async def test_shipped_roles_cannot_be_changed_or_deleted(client):
    for body in ({"permissions": ["view"]}, {"description": "x"}, {"delete": True}):
        response = await client.post("/rest/role/1", json=body)
        assert response.status_code == 400
        assert response.json()["message"] == 'Role "Administrator" is shipped and cannot be changed'


async def test_what_a_user_may_do_is_the_sum_of_the_roles(client):
    body = {"username": "both", "type": "automation", "roles": ["Observer", "Automation Engineer"]}
    made = (await client.post("/rest/ph_user", json=body)).json()
    shown = (await client.get(f"/rest/ph_user/{made['id']}")).json()
    assert shown["permissions"] == ["cancel", "run_playbooks", "view"]
    assert shown["roles"] == ["Automation Engineer", "Observer"]


async def test_a_role_of_ones_own_is_made_changed_and_deleted(client):
    made = await client.post("/rest/role", json={"name": "night shift", "permissions": ["view"]})
    path = f"/rest/role/{made.json()['id']}"
    change = {"permissions": ["cancel", "view"], "description": "may stop things"}
    assert (await client.post(path, json=change)).status_code == 200
    shown = (await client.get(path)).json()
    assert shown["permissions"] == ["view", "cancel"]
    assert shown["description"] == "may stop things"
    assert (await client.post(path, json={"delete": True})).status_code == 200
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"permissions": ["view"]}, "name is required"),
        ({"name": "x"}, "permissions is required"),
        ({"name": "7", "permissions": ["view"]}, "name must be printable characters"),
        ({"name": "x", "permissions": ["fly"]}, "permissions must be a list of view, "),
        ({"name": "x", "permissions": "view"}, "permissions must be a list of strings"),
        ({"name": "Observer", "permissions": ["view"]}, 'Role "Observer" already exists'),
    ],
)
async def test_what_is_no_such_role_is_refused(client, body, message):
    response = await client.post("/rest/role", json=body)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)


async def test_a_role_that_users_have_is_not_deleted(client):
    made = (await client.post("/rest/role", json={"name": "worn", "permissions": ["view"]})).json()
    body = {"username": "wearer", "type": "automation", "roles": [made["id"]]}
    assert (await client.post("/rest/ph_user", json=body)).status_code == 200
    response = await client.post(f"/rest/role/{made['id']}", json={"delete": True})
    assert response.status_code == 400
    assert response.json()["message"] == 'Role "worn" cannot be deleted while users have it: 1'


@pytest.mark.parametrize("change", [{"roles": ["Observer"]}, {"is_active": False}, {"roles": []}])
async def test_the_last_person_who_may_administer_stays(client, credentials, change):
    response = await client.post(f"/rest/ph_user/{credentials.administrator_id}", json=change)
    assert response.status_code == 400
    assert "nobody with a password" in response.json()["message"]
    shown = (await client.get(f"/rest/ph_user/{credentials.administrator_id}")).json()
    assert shown["is_active"] is True
    assert shown["roles"] == ["Administrator"]


@pytest.fixture
async def listening(database) -> AsyncIterator[tuple[Credentials, asyncio.Event]]:
    """Credentials of another gateway, and what is set when it hears of a change."""
    notices, heard = Notices(database), asyncio.Event()
    remembering = Credentials(database, notices)
    notices.subscribe(lambda notice: heard.set() if notice == CREDENTIALS else None)
    running = asyncio.create_task(notices.run())
    await notices.wait_connected()
    yield remembering, heard
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("change", ["roles of the user", "permissions of the role"])
async def test_another_gateway_forgets_permissions_as_soon_as_they_change(
    client, listening, change, database
):
    remembering, heard = listening
    role = {"name": f"changing {change}", "permissions": ["view", "cancel"]}
    role_id = (await client.post("/rest/role", json=role)).json()["id"]
    user_id, token = await accounts.create(database, change, "automation", Changes(roles=[role_id]))
    assert token is not None
    await asyncio.wait_for(heard.wait(), 10)
    heard.clear()
    assert (await remembering.user_of_token(token)).permissions == {"view", "cancel"}
    path, body = {
        "roles of the user": (f"/rest/ph_user/{user_id}", {"roles": ["Observer"]}),
        "permissions of the role": (f"/rest/role/{role_id}", {"permissions": ["view"]}),
    }[change]
    assert (await client.post(path, json=body)).status_code == 200
    await asyncio.wait_for(heard.wait(), 10)
    assert (await remembering.user_of_token(token)).permissions == {"view"}


async def test_two_who_take_the_role_from_each_other_at_once_do_not_both_succeed(database, client):
    left, right = [
        (
            await accounts.create(
                database, name, "normal", Changes(password="long enough", roles=[ADMINISTRATOR])
            )
        )[0]
        for name in ("left", "right")
    ]
    admin = next(user for user in await users.read_all(database) if user.username == "admin")
    assert (await client.post(f"/rest/ph_user/{admin.id}", json={"roles": []})).status_code == 200
    async with database.begin() as connection:
        await roles.give(connection, right, ["Observer"])
        await roles.keep_an_administrator(connection)
        second = asyncio.create_task(client.post(f"/rest/ph_user/{left}", json={"roles": []}))
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(30):
            while not second.done() and not await connection.scalar(waits):
                await asyncio.sleep(0.01)
    assert (await second).status_code == 400
    back = await client.post(f"/rest/ph_user/{admin.id}", json={"roles": [ADMINISTRATOR]})
    assert back.status_code == 200
