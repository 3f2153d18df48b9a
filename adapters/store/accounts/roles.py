"""Roles: named sets of permissions, and which users have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.between.permissions import ADMINISTRATOR, Permission
from prefect_phantom.adapters.errors import (
    LastAdministrator,
    NotFound,
    RoleExists,
    RoleInUse,
    RoleIsShipped,
)
from prefect_phantom.adapters.store.accounts import served_request
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.account_tables import roles, user_roles, users


@dataclass(frozen=True, slots=True)
class Role:
    """A row of `roles`. A shipped one is `immutable`."""

    id: int
    name: str
    description: str
    permissions: list[str]
    immutable: bool


_COLUMNS = [roles.c[name] for name in Role.__dataclass_fields__]


async def create(
    database: Database, name: str, description: str, permissions: Iterable[Permission]
) -> int:
    """Make a role; returns its id. Raises `RoleExists`."""
    async with database.begin() as connection:
        role_id = await connection.scalar(
            insert(roles)
            .values(name=name, description=description, permissions=_ordered(permissions))
            .on_conflict_do_nothing(index_elements=[roles.c.name])
            .returning(roles.c.id)
        )
        if role_id is None:
            raise RoleExists(name)
        served_request.about(role_id)
    return int(role_id)


async def change(
    database: Database,
    role: int,
    *,
    description: str | None = None,
    permissions: Iterable[Permission] | None = None,
) -> None:
    """Change what is given. Raises `NotFound`, `RoleIsShipped` and `LastAdministrator`."""
    values: dict[str, object] = {}
    if description is not None:
        values["description"] = description
    if permissions is not None:
        values["permissions"] = _ordered(permissions)
    async with database.begin() as connection:
        await _find_own(connection, role)
        if values:
            await connection.execute(update(roles).where(roles.c.id == role).values(values))
        await keep_an_administrator(connection)
        served_request.about(role)


async def remove(database: Database, role: int) -> None:
    """Delete a role. Raises `NotFound`, `RoleIsShipped` and `RoleInUse`."""
    async with database.begin() as connection:
        name = (await _find_own(connection, role)).name
        holders = select(func.count()).where(user_roles.c.role_id == role)
        if count := await connection.scalar(holders):
            raise RoleInUse(name, count)
        await connection.execute(delete(roles).where(roles.c.id == role))
        served_request.about(role)


async def give(connection: AsyncConnection, user_id: int, named: Sequence[int | str]) -> None:
    """Let a user have exactly these roles, named by id or name. Raises `NotFound`."""
    ids = [(await _find(connection, role)).id for role in named]
    await connection.execute(
        delete(user_roles).where(user_roles.c.user_id == user_id, user_roles.c.role_id.not_in(ids))
    )
    if ids:
        await connection.execute(
            insert(user_roles)
            .values([{"user_id": user_id, "role_id": role_id} for role_id in ids])
            .on_conflict_do_nothing()
        )


async def keep_an_administrator(connection: AsyncConnection) -> None:
    """Raise `LastAdministrator` when no person is left who may administer.

    To be called last in each transaction that takes something away. The lock has two that would
    each leave the other one's administrator come one after the other.
    """
    role = select(roles.c.id).where(roles.c.name == ADMINISTRATOR)
    # One that those who have just been given the role do not hold up: they refer to its key.
    await connection.execute(role.with_for_update(key_share=True))
    administrators = select(users.c.id).where(
        users.c.type == "normal",
        users.c.disabled.is_(False),
        users.c.password_hash.is_not(None),
        has_permission(Permission.ADMINISTER),
    )
    if await connection.scalar(administrators.limit(1)) is None:
        raise LastAdministrator


def has_permission(permission: Permission) -> ColumnElement[bool]:
    """Whether the user of the query around it has a role with `permission`."""
    return exists().where(
        user_roles.c.user_id == users.c.id,
        user_roles.c.role_id == roles.c.id,
        roles.c.permissions.contains([str(permission)]),
    )


async def _find(connection: AsyncConnection, role: int | str) -> Role:
    if isinstance(role, int) and not 0 < role <= LARGEST_ID:
        raise NotFound("Role", role)
    column: ColumnElement[object] = roles.c.id if isinstance(role, int) else roles.c.name
    row = (await connection.execute(select(*_COLUMNS).where(column == role))).one_or_none()
    if row is None:
        raise NotFound("Role", role)
    return Role(*row)


async def _find_own(connection: AsyncConnection, role: int) -> Role:
    found = await _find(connection, role)
    if found.immutable:
        raise RoleIsShipped(found.name)
    return found


def _ordered(permissions: Iterable[Permission]) -> list[str]:
    wanted = set(permissions)
    return [str(each) for each in Permission if each in wanted]
