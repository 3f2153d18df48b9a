"""Keys by which callers say that a request is one that they have sent before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from prefect_phantom.adapters.errors import KeyReused
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.tables import idempotency_keys as keys

KEPT_FOR = timedelta(hours=24)
"""A key that is older counts as one that was never sent (our decision)."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A user's key, and the SHA-256 of the request that came with it."""

    user_id: int
    key: str
    request_hash: bytes


def claiming(row: Select[Any]) -> ReturningInsert[Any]:
    """The statement that makes `row` (user, key, hash, run) unless its key counts already.

    It waits for another transaction that is making the same key, and returns the run of a row that
    it has made.
    """
    columns = [keys.c.user_id, keys.c.key, keys.c.request_hash, keys.c.playbook_run_id]
    new = insert(keys).from_select(columns, row)
    return new.on_conflict_do_update(
        index_elements=[keys.c.user_id, keys.c.key],
        set_={
            "request_hash": new.excluded.request_hash,
            "playbook_run_id": new.excluded.playbook_run_id,
            "create_time": func.now(),
        },
        where=keys.c.create_time <= func.now() - KEPT_FOR,
    ).returning(keys.c.playbook_run_id)


async def claim(connection: AsyncConnection, key: IdempotencyKey) -> int | None:
    """The run that was made for this key before; None when it is the caller's to make it now.

    The key's row is locked until the transaction ends. A second request with the same key waits
    here, and then finds the run, or has the key to itself because the first was refused.

    Raises `KeyReused` when the key came with another request before.
    """
    new = select(
        *(
            literal(value, column.type)
            for value, column in (
                (key.user_id, keys.c.user_id),
                (key.key, keys.c.key),
                (key.request_hash, keys.c.request_hash),
                (None, keys.c.playbook_run_id),
            )
        )
    )
    if (await connection.execute(claiming(new))).one_or_none() is not None:
        return None
    known = select(keys.c.request_hash, keys.c.playbook_run_id).where(*_is(key))
    row = (await connection.execute(known)).one()
    if row.request_hash != key.request_hash:
        raise KeyReused(key.key)
    return int(row.playbook_run_id)


async def record(connection: AsyncConnection, key: IdempotencyKey, playbook_run_id: int) -> None:
    """Note the run that was made for a key, in the transaction that claimed it."""
    await connection.execute(update(keys).where(*_is(key)).values(playbook_run_id=playbook_run_id))


async def delete_old(database: Database) -> None:
    """Forget the keys that count no longer."""
    async with database.begin() as connection:
        old = keys.c.create_time <= func.now() - KEPT_FOR
        await connection.execute(delete(keys).where(old))


def _is(key: IdempotencyKey) -> tuple[Any, Any]:
    return keys.c.user_id == key.user_id, keys.c.key == key.key
