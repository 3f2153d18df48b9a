"""Containers: the events, with their artifacts, on which playbooks run."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, case, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import DuplicateContainer, NotFound, RunsRefer, UnknownOwner
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.account_tables import users
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import containers, playbook_runs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CLOSED = "closed"
"""The status that gives a container its close time, unless it comes with one."""


async def add(connection: AsyncConnection, new: ContainerFields) -> int:
    """Store a container with at least `name` and `label`; returns its id.

    Without a ``source_data_identifier`` it gets a random one. Raises `DuplicateContainer` when
    another container has it, also when both came at the same moment, and `UnknownOwner`.
    """
    fields = said(new) | await owner(connection, new.owner_id)
    identifier: str = fields.setdefault("source_data_identifier", str(uuid.uuid4()))
    if new.status == CLOSED:
        fields.setdefault("close_time", func.now())
    made: int | None = await connection.scalar(
        insert(containers)
        .values(hash=uuid.uuid4().hex, **fields)
        .on_conflict_do_nothing(index_elements=[containers.c.source_data_identifier])
        .returning(containers.c.id)
    )
    if made is None:
        existing = await connection.execute(_with_identifier(identifier))
        raise DuplicateContainer(identifier, existing.scalar_one())
    about(made)
    return made


async def change(
    database: Database, container_id: int, changes: ContainerFields, cleared: Collection[str]
) -> None:
    """Change a container: `custom_fields` are merged into those that it has, all else replaced.

    The fields named in `cleared` become null. With the status `CLOSED` it gets its close time,
    with any other it loses it, where neither is given. Raises `NotFound`,
    `DuplicateContainer` and `UnknownOwner`.
    """
    try:
        async with database.begin() as connection:
            await change_held(connection, container_id, changes, cleared)
    except IntegrityError as error:
        identifier = changes.source_data_identifier or ""
        async with database.read() as connection:
            existing = await connection.scalar(_with_identifier(identifier))
        if existing is None:
            raise
        raise DuplicateContainer(identifier, existing) from error


async def change_held(
    connection: AsyncConnection,
    container_id: int,
    changes: ContainerFields,
    cleared: Collection[str] = (),
) -> None:
    """`change` in a transaction, which fails if another container has the identifier."""
    fields = said(changes) | dict.fromkeys(cleared, null())
    if changes.custom_fields is not None:
        # In one statement, so that of two merges at once neither is lost.
        fields["custom_fields"] = containers.c.custom_fields.concat(changes.custom_fields)
    if changes.status is not None:
        closed_before = containers.c.status == CLOSED
        time = case((closed_before, containers.c.close_time), else_=func.now())
        fields.setdefault("close_time", time if changes.status == CLOSED else null())
    fields |= await owner(connection, changes.owner_id)
    query = update(containers).where(containers.c.id == container_id)
    done = await connection.execute(query.values(container_update_time=func.now(), **fields))
    if not done.rowcount:
        raise NotFound("Container", container_id)
    about(container_id)


async def remove(database: Database, container_id: int) -> None:
    """Delete a container with all that was written on it, while no run was accepted there.

    Raises `NotFound`, and `RunsRefer` when there was one, however it ended.
    """
    async with database.begin() as connection:
        await hold(connection, container_id)
        await refuse_if_given(connection, "Container", container_id, container_id)
        await connection.execute(delete(containers).where(containers.c.id == container_id))
        about(container_id)


async def hold(connection: AsyncConnection, container_id: int) -> None:
    """Keep runs from being accepted on the container, until the transaction ends.

    Raises `NotFound`.
    """
    query = select(containers.c.id).where(containers.c.id == container_id).with_for_update()
    if await connection.scalar(query) is None:
        raise NotFound("Container", container_id)


async def refuse_if_given(
    connection: AsyncConnection,
    thing: str,
    identifier: int,
    container_id: int,
    *conditions: ColumnElement[bool],
) -> None:
    """Raise `RunsRefer` when runs on the container, for which `conditions` hold, were accepted."""
    of_it = select(func.count()).where(playbook_runs.c.container_id == container_id, *conditions)
    if runs := await connection.scalar(of_it):
        raise RunsRefer(thing, identifier, runs)


async def lock(connection: AsyncConnection, container_id: int) -> str:
    """Hold the container's row until the transaction ends; returns the container's label.

    Whoever adds an artifact or accepts a run does this first (contract, ``scope: "new"``): an
    artifact's id is given before it is committed, and without the lock a run accepted in between
    would set its mark above an artifact that it cannot see.

    Raises `NotFound`.
    """
    found: str | None = await connection.scalar(
        select(containers.c.label)
        .where(containers.c.id == container_id)
        .with_for_update(key_share=True)
    )
    if found is None:
        raise NotFound("Container", container_id)
    return found


async def owner(connection: AsyncConnection, named: int | str | None) -> dict[str, int]:
    """The column of the owner who is named by id or username, if any. Raises `UnknownOwner`."""
    if named is None:
        return {}
    column = users.c.id if isinstance(named, int) else users.c.username
    found: int | None = await connection.scalar(select(users.c.id).where(column == named))
    if found is None:
        raise UnknownOwner(named)
    return {"owner_id": found}


def said(of: DataclassInstance) -> dict[str, Any]:
    """The fields of `of` of which something is said, as they are: a copy of large JSON is dear."""
    return given({each.name: getattr(of, each.name) for each in fields(of)})


def given(values: dict[str, Any]) -> dict[str, Any]:
    """`values` without those of which nothing is said."""
    return {name: value for name, value in values.items() if value is not None}


def _with_identifier(identifier: str) -> Select[tuple[int]]:
    return select(containers.c.id).where(containers.c.source_data_identifier == identifier)
