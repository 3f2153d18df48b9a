"""Containers: the events, with their artifacts, on which playbooks run."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import ContainerNotFound, DuplicateContainer, UnknownOwner
from adapters.store.account_tables import users
from adapters.store.database import Database
from adapters.store.tables import containers


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContainer:
    """What a caller may say of a container; None leaves the table's default. Times are aware."""

    name: str
    label: str
    description: str | None = None
    status: str | None = None
    severity: str | None = None
    sensitivity: str | None = None
    container_type: str | None = None
    source_data_identifier: str | None = None
    external_id: str | None = None
    kill_chain: str | None = None
    owner_id: int | None = None
    tags: list[str] | None = None
    custom_fields: dict[str, object] | None = None
    data: dict[str, object] | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    due_time: datetime | None = None
    open_time: datetime | None = None
    close_time: datetime | None = None


async def create(database: Database, new: NewContainer) -> int:
    """Store a container; returns its id.

    Without a ``source_data_identifier`` it gets a random one. Raises `DuplicateContainer` when
    another container has it, also when both came at the same moment, and `UnknownOwner`.
    """
    fields = given(asdict(new))
    identifier: str = fields.setdefault("source_data_identifier", str(uuid.uuid4()))
    async with database.begin() as connection:
        await require_owner(connection, new.owner_id)
        made = await connection.scalar(
            insert(containers)
            .values(hash=uuid.uuid4().hex, **fields)
            .on_conflict_do_nothing(index_elements=[containers.c.source_data_identifier])
            .returning(containers.c.id)
        )
        if made is None:
            existing = await connection.execute(
                select(containers.c.id).where(containers.c.source_data_identifier == identifier)
            )
            raise DuplicateContainer(identifier, existing.scalar_one())
    return int(made)


async def lock(connection: AsyncConnection, container_id: int) -> None:
    """Hold the container's row until the transaction ends. Raises `ContainerNotFound`.

    Whoever adds an artifact or accepts a run does this first (contract, ``scope: "new"``): an
    artifact's id is given before it is committed, and without the lock a run accepted in between
    would set its mark above an artifact that it cannot see.
    """
    found = await connection.scalar(
        select(containers.c.id)
        .where(containers.c.id == container_id)
        .with_for_update(key_share=True)
    )
    if found is None:
        raise ContainerNotFound(container_id)


async def require_owner(connection: AsyncConnection, owner_id: int | None) -> None:
    """Check that the user exists; None is no owner. Raises `UnknownOwner`."""
    if owner_id is None:
        return
    if await connection.scalar(select(users.c.id).where(users.c.id == owner_id)) is None:
        raise UnknownOwner(owner_id)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without those that were left to the table's defaults."""
    return {name: value for name, value in fields.items() if value is not None}
