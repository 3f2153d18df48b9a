"""Users: people with passwords, and programs (automation users) with tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.errors import Unauthenticated, UserNotFound
from adapters.store.database import Database
from adapters.store.passwords import Passwords, hash_password, matches
from adapters.store.prepared import Prepared
from adapters.store.tables import users

FIRST_ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """A row of `users` without its secret. `type` is ``normal`` or ``automation``."""

    id: int
    username: str
    type: str
    administrator: bool
    disabled: bool


COLUMNS = (users.c.id, users.c.username, users.c.type, users.c.administrator, users.c.disabled)
"""The columns of a `User`, for queries that join it."""


async def read(database: Database, user_id: int) -> User:
    """The user with this id. Raises `UserNotFound`."""
    async with database.read() as connection:
        result = await connection.execute(select(*COLUMNS).where(users.c.id == user_id))
        row = result.mappings().one_or_none()
    if row is None:
        raise UserNotFound(user_id)
    return User(**row)


async def find(database: Database, username: str) -> User | None:
    """The user of this name, if there is one."""
    user, _ = await _read(database, username)
    return user


async def authenticate(
    database: Database, passwords: Passwords, username: str, password: str
) -> User:
    """The user with this name and password.

    Raises `Unauthenticated`, after the same time whether the user is unknown, disabled, has no
    password, or another one.
    """
    user, password_hash = await _read(database, username)
    right = await passwords.verify(username, password, password_hash)
    if user is None or user.disabled or not right:
        raise Unauthenticated(Unauthenticated.BAD_PASSWORD)
    return user


async def ensure_administrator(database: Database, password: str) -> int:
    """Make `FIRST_ADMINISTRATOR` with this password, or give it this password; returns its id.

    A password that is the stored one already leaves the row as it is.
    """
    password_hash = await asyncio.to_thread(hash_password, password)
    async with database.begin() as connection:
        made = await connection.scalar(
            insert(users)
            .values(
                username=FIRST_ADMINISTRATOR,
                type="normal",
                password_hash=password_hash,
                administrator=True,
            )
            .on_conflict_do_nothing(index_elements=[users.c.username])
            .returning(users.c.id)
        )
        if made is not None:
            return int(made)
        found = await connection.execute(
            select(users.c.id, users.c.password_hash)
            .where(users.c.username == FIRST_ADMINISTRATOR)
            .with_for_update()
        )
        user_id, stored = found.one()
        if stored is None or not await asyncio.to_thread(matches, password, stored):
            await connection.execute(
                update(users).where(users.c.id == user_id).values(password_hash=password_hash)
            )
        return int(user_id)


_BY_NAME = Prepared(
    select(*COLUMNS, users.c.password_hash).where(users.c.username == bindparam("name", type_=Text))
)


async def _read(database: Database, username: str) -> tuple[User | None, str | None]:
    """The user of this name, and the hash of the password; None for what is not there."""
    if "\0" in username:
        return None, None  # PostgreSQL's text cannot hold the character, so no user can have it
    row = await database.fetch(_BY_NAME, name=username)
    if row is None:
        return None, None
    return User(**{column.name: row[column.name] for column in COLUMNS}), row["password_hash"]
