"""Keys by which callers say that a request is one that they have sent before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import KeyReused
from adapters.store.database import Database
from adapters.store.tables import idempotency_keys as keys

KEPT_FOR = timedelta(hours=24)
"""A key that is older counts as one that was never sent (our decision)."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A user's key, and the SHA-256 of the request that came with it."""

    user_id: int
    key: str
    request_hash: bytes


async def claim(connection: AsyncConnection, key: IdempotencyKey) -> int | None:
    """The run that was made for this key before; None when it is the caller's to make it now.

    The key's row is locked until the transaction ends. A second request with the same key waits
    here, and then finds the run, or has the key to itself because the first was refused.

    Raises `KeyReused` when the key came with another request before.
    """
    new = {"request_hash": key.request_hash, "playbook_run_id": None, "create_time": func.now()}
    claimed = (
        insert(keys)
        .values(user_id=key.user_id, key=key.key, request_hash=key.request_hash)
        .on_conflict_do_update(
            index_elements=[keys.c.user_id, keys.c.key],
            set_=new,
            where=keys.c.create_time <= func.now() - KEPT_FOR,
        )
        .returning(keys.c.key)
    )
    if (await connection.execute(claimed)).one_or_none() is not None:
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
