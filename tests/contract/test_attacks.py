"""Attacks, and that they come to nothing. Those on connections are in `test_protocol`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from prefect_phantom.adapters.store.tables.account_tables import audit, users
from prefect_phantom.adapters.store.tables.tables import playbook_runs

TEMPLATE = {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}
SECRET = {"__prefect_kind": "workspace_variable", "variable_name": "password"}
INJECTIONS = [
    "'; DROP TABLE playbook_runs; --",
    "1 OR 1=1",
    "$1",
    "%s%n%(id)s",
    "{{ 7 * 7 }}",
    "${jndi:ldap://203.0.113.5/a}",
    "\\'; SELECT pg_sleep(60); --",
    "\N{FULLWIDTH APOSTROPHE}\N{RIGHT-TO-LEFT OVERRIDE}",
    json.dumps(TEMPLATE),
]


@pytest.fixture
def body(container, shelf) -> dict[str, Any]:
    return {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}


@pytest.fixture
def viewer(client: httpx.AsyncClient) -> Callable[..., Awaitable[dict[str, str]]]:
    """Credentials of an automation user with the role Observer."""

    async def make(name: str, **fields: object) -> dict[str, str]:
        user = {"username": name, "type": "automation", "roles": ["Observer"], **fields}
        made = await client.post("/rest/ph_user", json=user)
        return {"ph-auth-token": made.json()["token"]}

    return make


@pytest.mark.attack(
    "SQL, templates and objects in the fields that choose a run", "400 or 404; no run is made"
)
@pytest.mark.parametrize("injected", [*INJECTIONS, TEMPLATE, SECRET, [TEMPLATE]], ids=repr)
@pytest.mark.parametrize("field", ["container_id", "playbook_id", "playbook_name", "scope", "run"])
async def test_what_is_injected_into_a_field_of_a_run_is_refused(
    client, body, database, field, injected
):
    async with database.begin() as connection:
        before = await connection.scalar(select(func.count()).select_from(playbook_runs))
    sent = {name: value for name, value in body.items() if name != "playbook_id"}
    sent |= {field: injected} if field.startswith("playbook") else body | {field: injected}
    response = await client.post("/rest/playbook_run", json=sent)
    assert response.status_code in {400, 404}
    assert response.json()["failed"] is True
    async with database.begin() as connection:
        after = await connection.scalar(select(func.count()).select_from(playbook_runs))
    assert after == before


@pytest.mark.attack("the same in `inputs`, and in the reason of a cancel", "kept as text")
@pytest.mark.parametrize("injected", [*INJECTIONS, TEMPLATE, SECRET], ids=repr)
async def test_inputs_and_reasons_are_kept_as_they_are_and_carried_out_nowhere(
    client, body, read, injected
):
    inputs = {"value": injected, str(injected): "as a name"}
    started = await client.post("/rest/playbook_run", json={**body, "inputs": inputs})
    run_id = started.json()["playbook_run_id"]
    assert json.loads((await read(run_id))["inputs"][0]) == inputs
    cancel = {"cancel": True, "reason": str(injected)}
    assert (await client.post(f"/rest/playbook_run/{run_id}", json=cancel)).status_code == 200
    assert (await read(run_id))["cancelled"] == f"Cancelled by operator: {injected}"


@pytest.mark.attack("the same in containers, artifacts and roles", "kept as text")
@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/rest/container", {"name": None, "label": None, "description": None, "tags": [None]}),
        ("/rest/artifact", {"name": None, "cef": {"sourceAddress": None}, "data": {"x": None}}),
        ("/rest/role", {"name": None, "description": None}),
    ],
)
async def test_what_is_injected_into_what_is_stored_is_text(
    client, container, path, fields, injected
):
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        return injected

    sent = filled(fields)
    further = {
        "/rest/artifact": {"container_id": container},
        "/rest/role": {"permissions": ["view"]},
    }.get(path, {})
    made = await client.post(path, json=sent | further)
    if path == "/rest/role" and not injected.isprintable():
        assert made.status_code == 400
        return
    assert made.status_code == 200, made.text
    shown = (await client.get(f"{path}/{made.json()['id']}")).json()
    assert {name: shown[name] for name in sent} == sent


@pytest.mark.attack("the same in headers", "changes nothing; the address stays the real one")
@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize("header", ["Idempotency-Key", "User-Agent", "server", "X-Forwarded-For"])
async def test_what_is_injected_into_headers_changes_nothing(client, body, read, header, injected):
    response = await client.post(
        "/rest/playbook_run", json=body, headers={header: injected.encode()}
    )
    assert response.status_code in ({200, 400} if header == "Idempotency-Key" else {200})
    if response.status_code == 200:
        run = await read(response.json()["playbook_run_id"])
        assert run["ip_address"] == "192.0.2.1"


@pytest.mark.attack(
    "`..`, encoded slashes, U+0000, line breaks, other digits in paths",
    "403, 404 or 405; no header is made",
)
@pytest.mark.parametrize(
    "path",
    [
        "/rest/playbook_run/../../etc/passwd",
        "/rest/playbook_run/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/rest/playbook_run/1%00",
        "/rest/playbook_run/1%0d%0aSet-Cookie:%20a=b",
        "/rest/playbook_run/1%27%20OR%20%271%27=%271",
        "/rest/playbook_run/-1",
        "/rest/playbook_run/1e3",
        "/rest/playbook_run/٣",  # digits of another script
        "/rest/playbook_run/" + "9" * 5000,
        "/rest/;/playbook_run",
        "/rest/playbook_run/1/../../audit",
        "/rest/%61udit/",
        "/rest/audit%2f..%2fplaybook",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_tricks_with_paths_reach_nothing(client, viewer, path, method):
    headers = await viewer(f"{method} {abs(hash(path))}")
    response = await client.request(method, path, headers=headers, json={"cancel": True})
    assert response.status_code in {403, 404, 405}
    assert response.json()["failed"] is True
    assert "set-cookie" not in response.headers


@pytest.mark.attack("other spellings of `/rest` without credentials", "401 or 404")
@pytest.mark.parametrize(
    "path",
    ["/REST/playbook_run", "/%72est/playbook_run", "//rest/playbook_run", "/rest%2fplaybook"],
)
async def test_no_spelling_of_a_path_gets_round_the_credentials(anonymous, path):
    response = await anonymous.post(path, json={})
    assert response.status_code in {401, 404}
    assert response.json()["failed"] is True


@pytest.mark.attack(
    "bodies of endless nesting, huge numbers, keys twice, bytes that are no text", "400 or 413"
)
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"run": true, "container_id": 1' + b"0" * 5000 + b"}",
        b'{"run": true, "container_id": 1e999999999}',
        b'{"a": "' + b"\\u0000" + b'"}',
        b'{"run": true, "run": false}',
        b"\xff\xfe{}",
        b'{"inputs": "' + b"{" * 10_000 + b'"}',
        b"{" + b",".join(b'"%d": 1' % n for n in range(20_000)) + b"}",
        b"",
    ],
    ids=["lists", "objects", "integer", "float", "null", "twice", "bytes", "inner", "keys", "none"],
)
async def test_a_body_that_is_a_bomb_is_refused(client, content):
    response = await client.post("/rest/playbook_run", content=content)
    assert response.status_code in {400, 413}
    assert response.json()["failed"] is True


@pytest.mark.attack("a body without an end", "413 at the limit, not read on")
async def test_a_body_that_does_not_end_is_refused_at_the_limit(client):
    sent = 0

    async def bomb():
        nonlocal sent
        while True:
            sent += 64 * 1024
            assert sent < 4 * 1024 * 1024, "it was read on and on"
            yield b" " * 64 * 1024

    response = await client.post("/rest/playbook_run", content=bomb())
    assert response.status_code == 413


@pytest.mark.attack(
    "a viewer runs, cancels, makes users and roles, takes over the administrator",
    "403 that names the permission; the run goes on; in the audit",
)
async def test_a_viewer_can_neither_run_nor_cancel_nor_change(
    client, viewer, body, run_id, read, database
):
    headers = await viewer("onlooker")
    assert (await client.get(f"/rest/playbook_run/{run_id}", headers=headers)).status_code == 200
    tried = [
        ("/rest/playbook_run", body, "run_playbooks"),
        (f"/rest/playbook_run/{run_id}", {"cancel": True}, "cancel"),
        ("/rest/container", {"name": "x", "label": "events"}, "edit_containers"),
        ("/rest/ph_user", {"username": "x", "type": "automation"}, "administer"),
        ("/rest/ph_user/1", {"password": "taken over"}, "administer"),
        ("/rest/role", {"name": "x", "permissions": ["administer"]}, "administer"),
    ]
    for path, sent, permission in tried:
        response = await client.post(path, json=sent, headers=headers)
        assert response.status_code == 403
        message = f'User "onlooker" lacks the permission "{permission}"'
        assert response.json() == {"failed": True, "message": message}
    run = await read(run_id)
    assert (run["status"], run["cancelled"]) == ("running", "")
    async with database.begin() as connection:
        noted = select(func.count()).where(
            audit.c.status == 403,
            audit.c.user_id
            == select(users.c.id).where(users.c.username == "onlooker").scalar_subquery(),
        )
        assert await connection.scalar(noted) == len(tried)


@pytest.mark.attack(
    "a token from a forbidden address, with forged `X-Forwarded-For`", "403; no run is made"
)
async def test_a_token_from_a_forbidden_address_starts_nothing(client, viewer, body, database):
    headers = await viewer("at home", roles=["Automation"], allowed_ips=["198.51.100.0/24"])
    for forged in ({}, {"X-Forwarded-For": "198.51.100.1"}, {"X-Real-IP": "198.51.100.1"}):
        response = await client.post("/rest/playbook_run", json=body, headers=headers | forged)
        assert response.status_code == 403
        assert response.json()["message"] == 'User "at home" may not call from 192.0.2.1'
    async with database.begin() as connection:
        started = select(func.count()).where(playbook_runs.c.container_id == body["container_id"])
        assert await connection.scalar(started) == 0


@pytest.mark.attack(
    "a page of another site posts with the browser's credentials", "403; no run is made"
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
        {"Origin": "https://evil.example", "X-HTTP-Method-Override": "GET"},
    ],
)
async def test_a_page_of_another_site_starts_nothing(client, body, database, headers):
    response = await client.post(
        "/rest/playbook_run",
        content=json.dumps(body).encode(),
        headers=headers | {"Content-Type": "text/plain"},
    )
    assert response.status_code == 403
    async with database.begin() as connection:
        started = select(func.count()).where(playbook_runs.c.container_id == body["container_id"])
        assert await connection.scalar(started) == 0


@pytest.mark.attack(
    "credentials in the query or a cookie, where logs and other sites find them", "401"
)
async def test_credentials_in_the_query_or_a_cookie_are_none(anonymous, credentials):
    for path in (
        f"/rest/role?ph-auth-token={credentials.token}",
        f"/rest/role?token={credentials.token}",
    ):
        assert (await anonymous.get(path)).status_code == 401
    cookie = {"Cookie": f"ph-auth-token={credentials.token}"}
    assert (await anonymous.get("/rest/role", headers=cookie)).status_code == 401


async def test_the_tables_are_all_there_afterwards(database):
    async with database.begin() as connection:
        for table in ("playbook_runs", "users", "roles", "audit", "containers"):
            assert await connection.scalar(text(f"SELECT count(*) >= 0 FROM {table}"))
