"""Tokens of automation users. A token is shown once; only its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import LargeBinary, bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.between.permissions import AUTOMATION
from prefect_phantom.adapters.errors import (
    NotFound,
    TokenOfDisabled,
    TokenOfPerson,
    TokenTaken,
    Unauthenticated,
)
from prefect_phantom.adapters.security.random_text import random_text
from prefect_phantom.adapters.store.accounts import served_request
from prefect_phantom.adapters.store.accounts.roles import give
from prefect_phantom.adapters.store.accounts.users import COLUMNS, User
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.tables.account_tables import tokens, users

TOKEN_BYTES = 32
"""256 random bits: too many to guess, so a plain SHA-256 without salt is enough to store."""


def new_token() -> str:
    """A token that nobody has yet."""
    return random_text(TOKEN_BYTES)


def digest(token: str) -> bytes:
    """What is stored of `token`."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


_FIND = Prepared(
    select(
        *COLUMNS,
        tokens.c.id.label("token_id"),
        tokens.c.hash,
        func.extract("epoch", tokens.c.expire_time - func.now()).label("expires_in"),
    )
    .join(tokens, tokens.c.user_id == users.c.id)
    .where(
        tokens.c.hash == bindparam("hash", type_=LargeBinary),
        or_(tokens.c.expire_time.is_(None), tokens.c.expire_time > func.now()),
    )
)


async def authenticate(database: Database, token: str) -> tuple[User, float | None]:
    """The user to whom `token` belongs, and in how many seconds it expires, if it does.

    Raises `Unauthenticated` when it is unknown or expired, or its user disabled.
    """
    wanted = digest(token)
    row = await database.fetch(_FIND, hash=wanted)
    if row is None or not hmac.compare_digest(row["hash"], wanted):
        raise Unauthenticated(Unauthenticated.BAD_AUTOMATION)
    if row["disabled"]:
        raise Unauthenticated(Unauthenticated.BAD_AUTOMATION, row["id"])
    expires_in = None if row["expires_in"] is None else float(row["expires_in"])
    return User.of(row, row["token_id"]), expires_in


async def create(
    database: Database, user: User, *, expire_time: datetime | None = None
) -> tuple[int, str]:
    """Make a further token of an automation user; returns its id and the token itself.

    Raises `TokenOfPerson` and `TokenOfDisabled`.
    """
    if user.type != "automation":
        raise TokenOfPerson(user.username)
    if user.disabled:
        raise TokenOfDisabled(user.username)
    token = new_token()
    async with database.begin() as connection:
        token_id = await add(connection, user.id, token, expire_time=expire_time)
        served_request.about(token_id)
    return token_id, token


async def revoke(database: Database, user_id: int, token_id: int) -> None:
    """Take a token away; every gateway hears of it at once. Raises `NotFound`."""
    if not 0 < token_id <= LARGEST_ID:
        raise NotFound("Token", token_id)
    async with database.begin() as connection:
        revoked = await connection.execute(
            delete(tokens).where(tokens.c.id == token_id, tokens.c.user_id == user_id)
        )
        if not revoked.rowcount:
            raise NotFound("Token", token_id)
        served_request.about(token_id)


async def add(
    connection: AsyncConnection, user_id: int, token: str, *, expire_time: datetime | None = None
) -> int:
    """Store what `token` is known by; returns its id."""
    row = {"user_id": user_id, "hash": digest(token), "expire_time": expire_time}
    made = await connection.execute(insert(tokens).values(row).returning(tokens.c.id))
    return int(made.scalar_one())


async def ensure_token(
    database: Database, username: str, token: str, *, roles: Sequence[str] = (AUTOMATION,)
) -> int:
    """Let `token` be one of the automation user `username`, made if missing; returns its id.

    For a secret that lies in a file, such as the command line's. Safe to repeat and to run in two
    processes at once. Raises `TokenOfPerson` and `TokenTaken`.
    """
    async with database.begin() as connection:
        await connection.execute(
            insert(users)
            .values(username=username, type="automation")
            .on_conflict_do_nothing(index_elements=[users.c.username])
        )
        found = await connection.execute(
            select(users.c.id, users.c.type).where(users.c.username == username)
        )
        user_id, user_type = found.one()
        if user_type != "automation":
            raise TokenOfPerson(username)
        await give(connection, user_id, roles)
        await connection.execute(
            insert(tokens)
            .values(user_id=user_id, hash=digest(token))
            .on_conflict_do_nothing(index_elements=[tokens.c.hash])
        )
        holder = await connection.scalar(
            select(tokens.c.user_id).where(tokens.c.hash == digest(token))
        )
        if holder != user_id:
            raise TokenTaken(username)
    return int(user_id)
