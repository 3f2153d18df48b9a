"""Nobody gets a password that a stranger would try, by whichever way it is given."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from prefect_phantom.adapters.gateway.gateway import run_gateway
from prefect_phantom.adapters.security.administrator import GuessablePassword, prepare_administrator
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts import users
from prefect_phantom.adapters.store.accounts.passwords import hash_password
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.account_tables import users as users_table

OPEN = {"host": "0.0.0.0"}
STRONG = "a9f2c07be1d44a63"


@pytest.fixture
async def empty(postgres_url) -> AsyncIterator[Database]:
    """A database without users."""
    database = await Database.open(postgres_url, f"test_{uuid4().hex}")
    yield database
    await database.close()


async def count(database: Database) -> int:
    async with database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(users_table))


@pytest.mark.attack("signing in as admin with an empty password", "no start makes such an admin")
@pytest.mark.parametrize("password", ["", " "])
@pytest.mark.parametrize("listener", [{}, OPEN])
async def test_a_blank_password_makes_no_administrator(empty, password, listener):
    with pytest.raises(GuessablePassword, match="is blank"):
        await prepare_administrator(empty, Settings(admin_password=password, **listener))
    assert await count(empty) == 0


async def test_a_placeholder_makes_no_administrator_whom_others_reach(empty):
    with pytest.raises(GuessablePassword, match="others reach this gateway"):
        await prepare_administrator(empty, Settings(admin_password="changeme", **OPEN))
    assert await count(empty) == 0


async def test_a_placeholder_makes_one_on_loopback_with_one_warning(empty, caplog):
    with caplog.at_level(logging.WARNING):
        await prepare_administrator(empty, Settings(admin_password="changeme"))
        await prepare_administrator(empty, Settings(admin_password="changeme"))
    (warning,) = caplog.messages
    assert warning.startswith("PREFECT_PHANTOM_ADMIN_PASSWORD is a placeholder")
    assert await users.has_password(empty, "admin", "changeme")


@pytest.mark.parametrize("password", ["", "changeme", "short"])
async def test_where_there_is_an_administrator_a_refused_password_stops_no_start(
    empty, caplog, password
):
    await prepare_administrator(empty, Settings(admin_password=STRONG, **OPEN))
    await prepare_administrator(empty, Settings(admin_password=password, **OPEN))
    assert "keeps the password that there is" in caplog.text
    assert await users.has_password(empty, "admin", STRONG)
    assert not await users.has_password(empty, "admin", password)


@pytest.mark.attack(
    "signing in with the empty password that an older version or a restored backup has stored",
    "401",
)
async def test_a_blank_password_that_is_stored_is_never_right(anonymous, credentials, database):
    for blank in ("", " "):
        async with database.begin() as connection:
            await connection.execute(
                update(users_table)
                .where(users_table.c.id == credentials.administrator_id)
                .values(password_hash=hash_password(blank))
            )
        answer = await anonymous.get("/rest/role/1", auth=("admin", blank))
        assert answer.status_code == 401
        assert answer.json()["message"] == "Invalid username or password"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings()


@pytest.mark.parametrize("password", [" " * 8, "\t" * 9])
async def test_no_user_gets_a_blank_password(client, password):
    body = {"username": "blank", "type": "normal", "password": password}
    made = await client.post("/rest/ph_user", json=body)
    assert made.status_code == 400
    assert made.json()["message"] == "password is blank; choose another one"
    changed = await client.post("/rest/ph_user/1", json={"password": password})
    assert changed.status_code == 400


async def test_no_user_whom_others_reach_gets_a_placeholder(build, connect, client):
    async with connect(build(Settings(**OPEN))) as reached:
        body = {"username": "eve", "type": "normal", "password": "changeme"}
        refused = await reached.post("/rest/ph_user", json=body)
        changed = await reached.post("/rest/ph_user/1", json={"password": "Password"})
    assert refused.status_code == changed.status_code == 400
    message = "password is a placeholder that stands in guides; choose another one"
    assert refused.json()["message"] == changed.json()["message"] == message
    assert (await client.post("/rest/ph_user", json=body)).status_code == 200


async def test_health_tells_of_the_password_and_of_clear_text(
    build, connect, credentials, database
):
    await users.ensure_administrator(database, credentials.password)
    told = {"admin_password": credentials.password, "http": True, "clear_text": True, **OPEN}
    async with connect(build(Settings(**told))) as reached:
        found = (await reached.get("/rest/prefect_phantom/health")).json()["exposure"]
    assert [each["ok"] for each in found] == [True, False]
    assert "clear text" in found[0]["sentence"]
    assert "PREFECT_PHANTOM_ADMIN_PASSWORD is a placeholder" in found[1]["sentence"]


@pytest.mark.parametrize(("listener", "told"), [({}, 0), (OPEN, 1)])
async def test_health_tells_of_the_guides_password_once_others_reach_the_gateway(
    build, connect, credentials, database, listener, told
):
    await users.ensure_administrator(database, "changeme")
    async with connect(build(Settings(**listener))) as reached:
        found = (await reached.get("/rest/prefect_phantom/health")).json()["exposure"]
    await users.ensure_administrator(database, credentials.password)
    sentence = "The user admin has the password of the guides, and others reach this gateway"
    assert [each["ok"] for each in found if each["sentence"].startswith(sentence)] == [False] * told


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"http": True, **OPEN}, "clear text"),
        ({"http": True, "runtime_key": ""}, "PREFECT_PHANTOM_RUNTIME_KEY is blank"),
        ({"http": True, "admin_password": ""}, "PREFECT_PHANTOM_ADMIN_PASSWORD is blank"),
        ({"http": True, "admin_password": "changeme", "runtime_host": "0.0.0.0"}, "others reach"),
    ],
)
async def test_a_gateway_that_may_not_start_ends_with_the_reason(postgres_url, given, sentence):
    with pytest.raises(SystemExit, match=sentence):
        await run_gateway(Settings(database_url=postgres_url, **given))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"ids\.json cannot be read \(No such file or directory\)"),
        ("{", r"ids\.json is not JSON: "),
        ("[1]", r"ids\.json must hold a JSON object such as \{"),
    ],
)
async def test_ids_that_cannot_be_read_are_refused_at_the_start(
    postgres_url, tmp_path, content, sentence
):
    file = tmp_path / "ids.json"
    if content is not None:
        file.write_text(content)
    settings = Settings(database_url=postgres_url, http=True, playbook_ids=file)
    with pytest.raises(SystemExit, match=f"^PREFECT_PHANTOM_PLAYBOOK_IDS: .*{sentence}"):
        await run_gateway(settings)


def test_ids_are_read_once(tmp_path):
    file = tmp_path / "ids.json"
    file.write_text('{"local/triage": 107}')
    settings = Settings(playbook_ids=file)
    assert settings.known_repositories.ids == {"local/triage": 107}
    file.unlink()
    assert settings.known_repositories.ids == {"local/triage": 107}
