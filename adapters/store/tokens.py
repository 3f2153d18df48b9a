"""Tokens of automation users. A token is shown once; only its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import LargeBinary, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from adapters.errors import Invalid, Unauthenticated, UserExists
from adapters.store.database import Database
from adapters.store.prepared import Prepared
from adapters.store.tables import tokens, users
from adapters.store.users import COLUMNS, User

TOKEN_BYTES = 32
"""256 random bits: too many to guess, so a plain SHA-256 without salt is enough to store."""


def digest(token: str) -> bytes:
    """What is stored of `token`."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


_FIND = Prepared(
    select(
        *COLUMNS,
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
    if row is None or not hmac.compare_digest(row["hash"], wanted) or row["disabled"]:
        raise Unauthenticated(Unauthenticated.BAD_TOKEN)
    expires_in = None if row["expires_in"] is None else float(row["expires_in"])
    return User(**{column.name: row[column.name] for column in COLUMNS}), expires_in


async def create_automation_user(
    database: Database, username: str, *, administrator: bool = False
) -> tuple[int, str]:
    """Make an automation user; returns its id and its token, which cannot be read again.

    Raises `UserExists` when the name is taken.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    async with database.begin() as connection:
        user_id = await connection.scalar(
            insert(users)
            .values(username=username, type="automation", administrator=administrator)
            .on_conflict_do_nothing(index_elements=[users.c.username])
            .returning(users.c.id)
        )
        if user_id is None:
            raise UserExists(username)
        await connection.execute(insert(tokens).values(user_id=user_id, hash=digest(token)))
    return int(user_id), token


async def ensure_token(
    database: Database, username: str, token: str, *, administrator: bool = False
) -> int:
    """Let `token` be one of the automation user `username`, made if missing; returns its id.

    For a secret that lies in a file, such as the command line's. Safe to repeat and to run in two
    processes at once. Raises `Invalid` when the name or the token belongs to someone else.
    """
    async with database.begin() as connection:
        await connection.execute(
            insert(users)
            .values(username=username, type="automation", administrator=administrator)
            .on_conflict_do_nothing(index_elements=[users.c.username])
        )
        found = await connection.execute(
            select(users.c.id, users.c.type).where(users.c.username == username)
        )
        user_id, user_type = found.one()
        if user_type != "automation":
            raise Invalid(f'User "{username}" is not an automation user and cannot have a token')
        await connection.execute(
            users.update().where(users.c.id == user_id).values(administrator=administrator)
        )
        await connection.execute(
            insert(tokens)
            .values(user_id=user_id, hash=digest(token))
            .on_conflict_do_nothing(index_elements=[tokens.c.hash])
        )
        holder = await connection.scalar(
            select(tokens.c.user_id).where(tokens.c.hash == digest(token))
        )
        if holder != user_id:
            raise Invalid(f'The token given for "{username}" belongs to another user')
    return int(user_id)
