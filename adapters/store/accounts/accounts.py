"""What administrators do with users: make them and change them. Nobody is ever deleted.

Runs, containers and the audit name users by their ids; a disabled user can do nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from prefect_phantom.adapters.errors import UserExists
from prefect_phantom.adapters.store.accounts import served_request, users
from prefect_phantom.adapters.store.accounts.passwords import hash_password
from prefect_phantom.adapters.store.accounts.roles import give, keep_an_administrator
from prefect_phantom.adapters.store.accounts.tokens import add, new_token
from prefect_phantom.adapters.store.accounts.users import User
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.account_tables import users as users_table


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What an administrator decides about a user; None leaves it as it is.

    `allowed_ips` are networks; an empty list is nowhere, `anywhere` lifts the limit.
    """

    password: str | None = None
    roles: Sequence[int | str] | None = None
    allowed_ips: Sequence[str] | None = None
    anywhere: bool = False
    disabled: bool | None = None


async def create(
    database: Database,
    username: str,
    kind: str,
    changes: Changes,
    *,
    expire_time: datetime | None = None,
) -> tuple[int, str | None]:
    """Make a user of a type; returns its id, and for an automation user its first token.

    That token ends at `expire_time`. Raises `UserExists` and `NotFound`.
    """
    values = await _values(changes)
    token = new_token() if kind == "automation" else None
    async with database.begin() as connection:
        user_id = await connection.scalar(
            insert(users_table)
            .values(username=username, type=kind, **values)
            .on_conflict_do_nothing(index_elements=[users_table.c.username])
            .returning(users_table.c.id)
        )
        if user_id is None:
            raise UserExists(username)
        await give(connection, user_id, changes.roles or [])
        if token is not None:
            await add(connection, user_id, token, expire_time=expire_time)
        served_request.about(user_id)
    return int(user_id), token


async def change(database: Database, user_id: int, changes: Changes) -> User:
    """Change a user; every gateway hears of it at once. Returns what the user is then.

    Raises `NotFound` and `LastAdministrator`.
    """
    await users.read(database, user_id)  # users are never deleted, so this one stays
    values = await _values(changes)
    async with database.begin() as connection:
        if values:
            await connection.execute(
                update(users_table).where(users_table.c.id == user_id).values(values)
            )
        if changes.roles is not None:
            await give(connection, user_id, changes.roles)
        await keep_an_administrator(connection)
        served_request.about(user_id)
    return await users.read(database, user_id)


async def _values(changes: Changes) -> dict[str, object]:
    values: dict[str, object] = {}
    if changes.password is not None:
        values["password_hash"] = await asyncio.to_thread(hash_password, changes.password)
    if changes.allowed_ips is not None:
        values["allowed_ips"] = list(changes.allowed_ips)
    if changes.anywhere:
        values["allowed_ips"] = None
    if changes.disabled is not None:
        values["disabled"] = changes.disabled
    return values
