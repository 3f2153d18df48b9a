"""The audit can only be added to; retention alone shortens it, and the audit says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from prefect_phantom.adapters.gateway.retention import Retention
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs import retention
from prefect_phantom.adapters.store.tables.account_tables import audit


@pytest.fixture
async def database(postgres_url) -> AsyncIterator[Database]:
    """A database whose audit is empty."""
    database = await Database.open(postgres_url, f"test_{uuid4().hex}")
    yield database
    await database.close()


async def sweep(database, **settings) -> None:
    await Retention(database=database, settings=Settings(**settings)).sweep()


async def note(database, days: float) -> int:
    async with database.begin() as connection:
        row = {"method": "POST", "path": "/rest/container", "status": 200}
        time = func.now() - timedelta(days=days)
        made = insert(audit).values(**row, time=time).returning(audit.c.id)
        return (await connection.execute(made)).scalar_one()


async def entries(database) -> list:
    async with database.read() as connection:
        return (await connection.execute(select(audit).order_by(audit.c.id))).all()


async def test_the_audit_says_itself_what_was_removed_from_it(database):
    old = [await note(database, days) for days in (9, 8, 8.5)]
    # It came in between with an older time; what is before it must not be left alone.
    young = [await note(database, 1), await note(database, 8), await note(database, 0)]
    await sweep(database, keep_audit_days=7)
    first, *_, last = await entries(database)
    assert first.id == young[0]
    assert not {row.id for row in await entries(database)} & set(old)
    assert (last.method, last.path, last.user_id) == ("DELETE", "/rest/audit", None)
    assert last.message.startswith("Retention removed 3 entries, up to 20")
    await sweep(database, keep_audit_days=7)
    assert (await entries(database))[-1].id == last.id


@pytest.mark.parametrize(
    ("unlocked", "statement", "reason"),
    [
        (False, "DELETE FROM audit", "can only be added to, not delete"),
        (True, "UPDATE audit SET message = 'x'", "can only be added to, not update"),
        (True, "TRUNCATE audit", "can only be added to, not truncate"),
        (True, "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)", "only the oldest"),
    ],
)
async def test_nothing_else_changes_the_audit(database, unlocked, statement, reason):
    for days in (2, 1):
        await note(database, days)

    async def execute() -> None:
        async with database.begin() as connection:
            if unlocked:
                await connection.execute(retention._UNLOCK_AUDIT)
            await connection.execute(text(statement))

    with pytest.raises(DBAPIError, match=reason):
        await execute()


async def test_what_is_more_than_is_kept_goes_by_its_number(database):
    for _ in range(5):
        await note(database, 0)
    newest = [row.id for row in (await entries(database))[-2:]]
    await sweep(database, keep_audit_entries=2)
    assert [row.id for row in await entries(database)][:2] == newest
