"""Users: people with passwords, and programs (automation users) with tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, Self, TypeAlias

from asyncpg import Record
from sqlalchemy import ColumnElement, RowMapping, Text, bindparam, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.between.permissions import ADMINISTRATOR
from prefect_phantom.adapters.errors import NotFound, Unauthenticated
from prefect_phantom.adapters.security.guessable import is_blank
from prefect_phantom.adapters.store.accounts.passwords import hash_password, matches
from prefect_phantom.adapters.store.accounts.roles import give
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.tables.account_tables import roles, user_roles, users

FIRST_ADMINISTRATOR = "admin"

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class User:
    """A row of `users` without its secret, and what its roles permit.

    `type` is ``normal`` or ``automation``. `networks` are those from which the user may call; None
    is any. `token_id` tells by which token the user has come.
    """

    id: int
    username: str
    type: str
    disabled: bool
    roles: tuple[str, ...]
    permissions: frozenset[str]
    networks: tuple[Network, ...] | None
    token_id: int | None = None

    @classmethod
    def of(cls, row: RowMapping | Record, token_id: int | None = None) -> Self:
        """The user of a row with `COLUMNS`."""
        allowed: list[str] | None = row["allowed_ips"]
        return cls(
            id=row["id"],
            username=row["username"],
            type=row["type"],
            disabled=row["disabled"],
            roles=tuple(row["roles"]),
            permissions=frozenset(row["permissions"]),
            networks=None if allowed is None else tuple(ip_network(each) for each in allowed),
            token_id=token_id,
        )

    def may_call_from(self, address: Address | None) -> bool:
        """Whether `address` is in one of the user's networks; an unknown one is in none."""
        if self.networks is None:
            return True
        return address is not None and any(address in network for network in self.networks)


def _of_roles(found: ColumnElement[Any]) -> ColumnElement[Any]:
    of_user = select(found).distinct().join_from(user_roles, roles).order_by(text("1"))
    query = of_user.where(user_roles.c.user_id == users.c.id).correlate(users)
    return cast(func.array(query.scalar_subquery()), ARRAY(Text))


COLUMNS = (
    users.c.id,
    users.c.username,
    users.c.type,
    users.c.disabled,
    users.c.allowed_ips,
    _of_roles(roles.c.name).label("roles"),
    _of_roles(func.unnest(roles.c.permissions)).label("permissions"),
)
"""The columns of a `User`, for queries that join it."""


async def read_all(database: Database) -> list[User]:
    """Every user, in the order of their ids."""
    async with database.read() as connection:
        rows = await connection.execute(select(*COLUMNS).order_by(users.c.id))
        return [User.of(row) for row in rows.mappings()]


async def read(database: Database, user_id: int) -> User:
    """The user with this id. Raises `NotFound`."""
    if not 0 < user_id <= LARGEST_ID:
        raise NotFound("User", user_id)
    async with database.read() as connection:
        result = await connection.execute(select(*COLUMNS).where(users.c.id == user_id))
        row = result.mappings().one_or_none()
    if row is None:
        raise NotFound("User", user_id)
    return User.of(row)


async def find(database: Database, username: str) -> User | None:
    """The user of this name, if there is one."""
    user, _ = await _read(database, username)
    return user


async def authenticate(
    database: Database,
    username: str,
    password: str,
    *,
    looking_up: AbstractAsyncContextManager[None],
    verify: Callable[[str, str, str | None], Awaitable[bool]],
) -> User:
    """The user with this name and password, which `verify` compares with the stored hash.

    `looking_up` is held while the user is read, so that those who are not known hold few
    connections.

    Raises `Unauthenticated`, after the same time whether the user is unknown, disabled, has no
    password, or another one. A blank one is never right, not even where an older version stored it.
    """
    async with looking_up:
        user, password_hash = await _read(database, username)
    right = await verify(username, password, password_hash)
    if user is None or user.disabled or not right or is_blank(password):
        raise Unauthenticated(Unauthenticated.BAD_LOGIN, None if user is None else user.id)
    return user


async def ensure_administrator(database: Database, password: str) -> int:
    """Make `FIRST_ADMINISTRATOR` with this password, or give it this password; returns its id.

    A password that is the stored one already leaves the row as it is.
    """
    password_hash = await asyncio.to_thread(hash_password, password)
    async with database.begin() as connection:
        made = await connection.scalar(
            insert(users)
            .values(username=FIRST_ADMINISTRATOR, type="normal", password_hash=password_hash)
            .on_conflict_do_nothing(index_elements=[users.c.username])
            .returning(users.c.id)
        )
        if made is not None:
            await give(connection, made, [ADMINISTRATOR])
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


async def has_password(database: Database, username: str, password: str) -> bool:
    """Whether this is the user's password. Takes as long as `hash_password`."""
    _, stored = await _read(database, username)
    return stored is not None and await asyncio.to_thread(matches, password, stored)


_BY_NAME = Prepared(
    select(*COLUMNS, users.c.password_hash).where(users.c.username == bindparam("name", type_=Text))
)


async def _read(database: Database, username: str) -> tuple[User | None, str | None]:
    """The user of this name, and the hash of the password; None for what is not there."""
    if "\0" in username:
        return None, None  # PostgreSQL's text cannot hold the character, so no user can have it
    row = await database.fetch(_BY_NAME, name=username)
    return (None, None) if row is None else (User.of(row), row["password_hash"])
