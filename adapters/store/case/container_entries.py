"""What people and playbooks write on a container: notes, comments and pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Delete, Table, Update, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import BadField, NotFound, Thing
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.case_tables import (
    container_comments,
    container_pins,
    notes,
)
from prefect_phantom.adapters.store.tables.tables import artifacts, containers


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of one kind.

    Attributes:
        table: Where they are, each with its container.
        thing: What one of them is called in sentences.
        touched: What is set besides when one is changed.
    """

    table: Table
    thing: Thing
    touched: Mapping[str, Any] = field(default_factory=dict)

    async def add(self, database: Database, container_id: int, values: Mapping[str, object]) -> int:
        """Write one on a container; returns its id.

        Raises `NotFound`, and `BadField` for an artifact that is not in that container.
        """
        async with database.begin() as connection:
            return await self.write(connection, container_id, values)

    async def write(
        self, connection: AsyncConnection, container_id: int, values: Mapping[str, object]
    ) -> int:
        """`add` in a transaction."""
        await _require(connection, container_id, values.get("artifact_id"))
        query = insert(self.table).values(container_id=container_id, **values)
        made: int = (await connection.execute(query.returning(self.table.c.id))).scalar_one()
        about(made)
        return made

    async def change(self, database: Database, entry: int, values: Mapping[str, object]) -> None:
        """Replace what is named of one. Raises `NotFound`."""
        query = update(self.table).where(self.table.c.id == entry)
        await self._one(database, entry, query.values(**self.touched, **values))

    async def remove(self, database: Database, entry: int) -> None:
        """Delete one. Raises `NotFound`."""
        await self._one(database, entry, delete(self.table).where(self.table.c.id == entry))

    async def _one(self, database: Database, entry: int, statement: Update | Delete) -> None:
        async with database.begin() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise NotFound(self.thing, entry)
            about(entry)


NOTES = Entries(
    notes,
    "Note",
    {"modified_time": func.now(), "version": notes.c.version + 1},
)
COMMENTS = Entries(container_comments, "Comment")
PINS = Entries(
    container_pins,
    "Pin",
    {"modified_time": func.now()},
)


async def _require(connection: AsyncConnection, container_id: int, artifact: object) -> None:
    """See that container and artifact are there, and keep them until the transaction ends."""
    query = select(containers.c.id).where(containers.c.id == container_id)
    if await connection.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise NotFound("Container", container_id)
    if artifact is None:
        return
    query = select(artifacts.c.id).where(
        artifacts.c.id == artifact, artifacts.c.container_id == container_id
    )
    if await connection.scalar(query.with_for_update(read=True, key_share=True)) is None:
        accepted = f"the id of an artifact of container {container_id}"
        raise BadField("artifact_id", artifact, accepted)
