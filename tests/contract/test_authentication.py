"""Contract 2 and 9: who is calling."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from prefect_phantom.adapters.between.permissions import ADMINISTRATOR, AUTOMATION
from prefect_phantom.adapters.store.accounts import accounts, passwords, tokens, users
from prefect_phantom.adapters.store.accounts.accounts import Changes
from prefect_phantom.adapters.store.accounts.passwords import Passwords
from prefect_phantom.adapters.store.tables.account_tables import tokens as tokens_table
from prefect_phantom.adapters.store.tables.account_tables import users as users_table

MISSING = "No supported auth information provided in request"
BAD_TOKEN = "Invalid automation token"
BAD_PASSWORD = "Invalid username or password"


def basic(text: str | bytes) -> dict[str, str]:
    raw = text.encode() if isinstance(text, str) else text
    return {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}


@pytest.fixture
def get(anonymous):
    """Asks for a path that only known users see as missing."""

    async def get(headers, path="/rest/playbook_run/999999"):
        return await anonymous.get(path, headers=headers)

    return get


@pytest.mark.parametrize(
    "spell",
    [
        lambda token: {"ph-auth-token": token},
        lambda token: {"PH-AUTH-TOKEN": f" {token} "},
        lambda token: {"Authorization": f"Bearer {token}"},
        lambda token: {"Authorization": f"bearer  {token}"},
        lambda token: {"Authorization": f"ph-auth-token {token}"},
        lambda token: basic(f":{token}"),
        lambda token: {"ph-auth-token": token} | basic("nobody:wrong"),
    ],
)
async def test_every_spelling_of_a_token_is_accepted(get, credentials, spell):
    assert (await get(spell(credentials.automation_token))).status_code == 404


async def test_a_name_and_password_are_accepted(get, credentials):
    assert (await get(basic(f"admin:{credentials.password}"))).status_code == 404


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, MISSING),
        ({"Authorization": ""}, MISSING),
        ({"Authorization": "Basic"}, MISSING),
        ({"Authorization": "Basic !!!"}, MISSING),
        (basic("no colon"), MISSING),
        ({"Authorization": "Bearer"}, MISSING),
        ({"Authorization": "Digest username=admin"}, MISSING),
        ({"Cookie": "sessionid=1"}, MISSING),
        ({"ph-auth-token": "wrong"}, BAD_TOKEN),
        ({"ph-auth-token": ""}, BAD_TOKEN),
        ({"Authorization": "Bearer wrong"}, BAD_TOKEN),
        (basic(":wrong"), BAD_TOKEN),
        (basic(":"), BAD_TOKEN),
        (basic("admin:wrong"), BAD_PASSWORD),
        (basic("admin:"), BAD_PASSWORD),
        (basic("ADMIN:changeme"), BAD_PASSWORD),
        (basic("nobody:changeme"), BAD_PASSWORD),
        (basic("script:changeme"), BAD_PASSWORD),
        (basic("a\0b:changeme"), BAD_PASSWORD),
        (basic("José:x".encode("latin-1")), BAD_PASSWORD),
        (basic("x" * 10000 + ":changeme"), BAD_PASSWORD),
    ],
)
@pytest.mark.usefixtures("credentials")
async def test_missing_or_wrong_credentials_get_401(get, headers, message):
    response = await get(headers)
    assert response.status_code == 401
    assert response.json() == {"failed": True, "message": message}
    assert response.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/rest"),
        ("GET", "/rest/"),
        ("GET", "/rest/no_such"),
        ("DELETE", "/rest/playbook_run/1"),
        ("POST", "/rest/playbook_run"),
        ("OPTIONS", "/rest/playbook_run"),
    ],
)
async def test_strangers_do_not_learn_which_paths_exist(anonymous, method, path):
    assert (await anonymous.request(method, path)).status_code == 401


async def test_a_refused_start_makes_no_run(anonymous, run_id, container, shelf, start):
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    headers = {"ph-auth-token": "wrong"}
    assert (await anonymous.post("/rest/playbook_run", json=body, headers=headers)).is_error
    assert int((await start()).json()["playbook_run_id"]) == run_id + 1


async def test_delete_is_refused_to_tokens_and_unknown_to_passwords(anonymous, credentials):
    path = "/rest/playbook/1"
    by_token = await anonymous.delete(path, headers={"ph-auth-token": credentials.token})
    by_password = await anonymous.delete(path, headers=basic(f"admin:{credentials.password}"))
    assert by_token.status_code == 403
    assert by_token.json()["failed"] is True
    assert by_password.status_code == 405


async def test_an_expired_token_is_refused(get, database):
    _, token = await accounts.create(database, "expired", "automation", Changes(roles=[AUTOMATION]))
    assert (await get({"ph-auth-token": token})).status_code == 404
    async with database.begin() as connection:
        await connection.execute(
            update(tokens_table)
            .where(tokens_table.c.hash == tokens.digest(token))
            .values(expire_time=datetime.now(UTC) - timedelta(seconds=1))
        )
    response = await get({"ph-auth-token": token})
    assert (response.status_code, response.json()["message"]) == (401, BAD_TOKEN)


@pytest.mark.parametrize("kind", ["token", "password"])
async def test_a_disabled_user_is_refused(get, database, credentials, kind):
    by_token = kind == "token"
    username = "script" if by_token else "admin"
    headers = (
        {"ph-auth-token": credentials.automation_token}
        if by_token
        else basic(f"admin:{credentials.password}")
    )
    assert (await get(headers)).status_code == 404
    disabled = update(users_table).where(users_table.c.username == username)
    async with database.begin() as connection:
        await connection.execute(disabled.values(disabled=True))
    response = await get(headers)
    async with database.begin() as connection:
        await connection.execute(disabled.values(disabled=False))
    assert response.status_code == 401
    assert response.json()["message"] == (BAD_TOKEN if by_token else BAD_PASSWORD)


async def test_a_changed_password_counts_at_once(get, database, credentials):
    assert (await get(basic(f"admin:{credentials.password}"))).status_code == 404
    await users.ensure_administrator(database, "another")
    old = await get(basic(f"admin:{credentials.password}"))
    new = await get(basic("admin:another"))
    await users.ensure_administrator(database, credentials.password)
    assert (old.status_code, new.status_code) == (401, 404)


async def test_neither_tokens_nor_passwords_are_stored(database, credentials):
    async with database.begin() as connection:
        hashes = (await connection.execute(tokens_table.select())).all()
        people = (await connection.execute(users_table.select())).all()
    stored = repr(hashes) + repr(people)
    assert credentials.token not in stored
    assert credentials.password not in stored
    assert "$argon2id$" in stored


class Counter:
    """Counts argon2 computations, and how many ran at once."""

    def __init__(self, monkeypatch) -> None:
        self.computed = self.running = self.most = 0
        self.matches = passwords.matches
        monkeypatch.setattr(passwords, "matches", self)

    def __call__(self, password: str, password_hash: str) -> bool:
        self.computed += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return self.matches(password, password_hash)
        finally:
            self.running -= 1


async def test_an_unknown_user_costs_what_a_wrong_password_costs(monkeypatch):
    stored = passwords.hash_password("right")
    verifier, counter = Passwords(), Counter(monkeypatch)
    for password_hash in (stored, None, stored, None):
        before = counter.computed
        assert not await verifier.verify("admin", "wrong", password_hash)
        assert counter.computed == before + 1


async def test_a_right_password_is_computed_once(monkeypatch):
    stored = passwords.hash_password("right")
    verifier, counter = Passwords(), Counter(monkeypatch)
    answers = await asyncio.gather(*(verifier.verify("admin", "right", stored) for _ in range(20)))
    assert all(answers)
    assert counter.computed <= passwords.VERIFICATIONS_AT_ONCE
    assert not await verifier.verify("admin", "wrong", stored)
    assert not await verifier.verify("admin2", "wrong", stored)


async def test_at_most_two_computations_run_at_once(monkeypatch):
    stored = passwords.hash_password("right")
    verifier, counter = Passwords(), Counter(monkeypatch)
    await asyncio.gather(*(verifier.verify("admin", f"wrong {n}", stored) for n in range(8)))
    assert counter.computed == 8
    assert counter.most <= 2


async def test_what_computes_gives_way_to_all_else():
    stored = passwords.hash_password("right")
    before = os.getpriority(os.PRIO_PROCESS, 0)
    await Passwords().verify("admin", "right", stored)
    lesser = [
        os.getpriority(os.PRIO_PROCESS, thread.native_id)
        for thread in threading.enumerate()
        if thread.name.startswith("argon2")
    ]
    assert lesser
    assert all(each == min(before + passwords.LESSER_PRIORITY, 19) for each in lesser)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


async def test_a_right_password_is_forgotten_after_a_minute(monkeypatch):
    stored = passwords.hash_password("right")
    verifier, counter = Passwords(), Counter(monkeypatch)
    now = passwords.time.monotonic()
    monkeypatch.setattr(passwords.time, "monotonic", lambda: now)
    await verifier.verify("admin", "right", stored)
    monkeypatch.setattr(passwords.time, "monotonic", lambda: now + 59)
    await verifier.verify("admin", "right", stored)
    assert counter.computed == 1
    monkeypatch.setattr(passwords.time, "monotonic", lambda: now + 61)
    await verifier.verify("admin", "right", stored)
    assert counter.computed == 2


async def test_a_new_hash_drops_what_was_remembered():
    old, new = passwords.hash_password("right"), passwords.hash_password("other")
    verifier = Passwords()
    assert await verifier.verify("admin", "right", old)
    assert not await verifier.verify("admin", "right", new)


async def test_a_token_of_someone_else_cannot_be_claimed(database, credentials):
    with pytest.raises(Exception, match="belongs to another user"):
        await tokens.ensure_token(database, "thief", credentials.token)
    with pytest.raises(Exception, match="not an automation user"):
        await tokens.ensure_token(database, "admin", "t" * 43)


async def test_ensuring_twice_at_once_is_the_same_as_once(database):
    ids = await asyncio.gather(
        *(tokens.ensure_token(database, "twice", "same", roles=[ADMINISTRATOR]) for _ in range(5)),
    )
    assert len(set(ids)) == 1
    administrators = await asyncio.gather(
        *(users.ensure_administrator(database, "changeme") for _ in range(3))
    )
    assert len(set(administrators)) == 1
