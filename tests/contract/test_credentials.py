"""Credentials that were right are remembered, and forgotten at once when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy import func, update

from prefect_phantom.adapters.between.permissions import AUTOMATION
from prefect_phantom.adapters.errors import Unauthenticated
from prefect_phantom.adapters.store.accounts import accounts, tokens, users
from prefect_phantom.adapters.store.accounts.accounts import Changes
from prefect_phantom.adapters.store.accounts.credentials import Credentials
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.notices import CREDENTIALS, Notices


@pytest.fixture
async def notices(database: Database) -> AsyncIterator[Notices]:
    notices = Notices(database)
    running = asyncio.create_task(notices.run())
    await notices.wait_connected()
    yield notices
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def remembering(database: Database, notices: Notices) -> Credentials:
    return Credentials(database, notices)


@pytest.fixture
async def changed(notices: Notices) -> asyncio.Event:
    """Set when a change of credentials is heard of."""
    event = asyncio.Event()
    notices.subscribe(lambda notice: event.set() if notice == CREDENTIALS else None)
    return event


async def made(database: Database, changed: asyncio.Event, name: str) -> tuple[int, str]:
    """A new user and its token, after that has been heard of."""
    user_id, token = await accounts.create(
        database, name, "automation", Changes(roles=[AUTOMATION])
    )
    assert token is not None
    await changed.wait()
    changed.clear()
    return user_id, token


async def test_a_token_that_was_right_is_not_looked_up_again(remembering, credentials, monkeypatch):
    user = await remembering.user_of_token(credentials.automation_token)
    monkeypatch.setattr(tokens, "authenticate", None)
    assert await remembering.user_of_token(credentials.automation_token) == user
    with pytest.raises(TypeError):
        await remembering.user_of_token("another")


async def test_a_password_that_was_right_is_not_looked_up_again(
    remembering, credentials, monkeypatch
):
    user = await remembering.user_of_password("admin", credentials.password)
    monkeypatch.setattr(users, "authenticate", None)
    assert await remembering.user_of_password("admin", credentials.password) == user
    with pytest.raises(TypeError):
        await remembering.user_of_password("admin", f"{credentials.password} ")


async def test_a_token_that_is_taken_away_is_refused_as_soon_as_that_is_heard(
    remembering, database, changed
):
    _, token = await made(database, changed, "leaver")
    await remembering.user_of_token(token)
    async with database.begin() as connection:
        await connection.execute(
            tokens.tokens.delete().where(tokens.tokens.c.hash == tokens.digest(token))
        )
    await changed.wait()
    with pytest.raises(Unauthenticated):
        await remembering.user_of_token(token)


async def test_a_disabled_user_is_refused_as_soon_as_that_is_heard(remembering, database, changed):
    user_id, token = await made(database, changed, "suspended")
    await remembering.user_of_token(token)
    async with database.begin() as connection:
        await connection.execute(
            update(users.users).where(users.users.c.id == user_id).values(disabled=True)
        )
    await changed.wait()
    with pytest.raises(Unauthenticated):
        await remembering.user_of_token(token)


async def test_a_token_is_not_remembered_beyond_its_end(remembering, database, monkeypatch):
    _, token = await accounts.create(database, "visitor", "automation", Changes(roles=[AUTOMATION]))
    async with database.begin() as connection:
        await connection.execute(
            update(tokens.tokens)
            .where(tokens.tokens.c.hash == tokens.digest(token))
            .values(expire_time=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, 30))
        )
    _, expires_in = await tokens.authenticate(database, token)
    assert expires_in is not None
    assert 0 < expires_in <= 30
    await remembering.user_of_token(token)
    now = asyncio.get_running_loop().time()
    monkeypatch.setattr(
        "prefect_phantom.adapters.store.accounts.credentials.time.monotonic", lambda: now + 31
    )
    monkeypatch.setattr(tokens, "authenticate", None)
    with pytest.raises(TypeError):
        await remembering.user_of_token(token)


async def test_nothing_is_remembered_while_changes_cannot_be_heard(
    database, credentials, monkeypatch
):
    forgetful = Credentials(database, Notices(database))
    await forgetful.user_of_token(credentials.automation_token)
    monkeypatch.setattr(tokens, "authenticate", None)
    with pytest.raises(TypeError):
        await forgetful.user_of_token(credentials.automation_token)


async def test_what_was_read_before_a_change_was_heard_of_is_not_remembered(
    remembering, database, changed, monkeypatch
):
    _, token = await made(database, changed, "late")
    authenticate = tokens.authenticate

    async def slow(*values: object) -> object:
        found = await authenticate(*values)
        async with database.begin() as connection:
            await connection.execute(
                tokens.tokens.delete().where(tokens.tokens.c.hash == tokens.digest(token))
            )
        await changed.wait()
        return found

    monkeypatch.setattr(tokens, "authenticate", slow)
    await remembering.user_of_token(token)
    monkeypatch.setattr(tokens, "authenticate", authenticate)
    with pytest.raises(Unauthenticated):
        await remembering.user_of_token(token)


async def test_a_gateway_hears_what_another_one_tells_and_not_itself(database, notices):
    heard: asyncio.Queue[str] = asyncio.Queue()
    notices.subscribe(heard.put_nowait)
    other = Notices(database)
    running = asyncio.create_task(other.run())
    await other.wait_connected()
    notices.tell("mine")
    other.tell("work")
    assert await heard.get() == "work"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert heard.empty()
