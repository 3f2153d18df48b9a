"""Artifacts: the indicators of a container, with their CEF fields."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.errors import DuplicateArtifact
from adapters.store.containers import given, lock, require_owner
from adapters.store.database import Database
from adapters.store.tables import artifacts, containers


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """What a caller may say of an artifact; None leaves the table's default. Times are aware."""

    container_id: int
    name: str
    label: str
    type: str | None = None
    description: str | None = None
    severity: str | None = None
    source_data_identifier: str | None = None
    external_id: str | None = None
    kill_chain: str | None = None
    owner_id: int | None = None
    cef: dict[str, object] | None = None
    cef_types: dict[str, object] | None = None
    data: dict[str, object] | None = None
    tags: list[str] | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


async def create(database: Database, new: NewArtifact) -> int:
    """Add an artifact to its container; returns its id.

    Without a ``source_data_identifier`` it gets a random one. Raises `ContainerNotFound`,
    `UnknownOwner`, and `DuplicateArtifact` when the container has one with that identifier.
    """
    fields = given(asdict(new))
    identifier: str = fields.setdefault("source_data_identifier", str(uuid.uuid4()))
    async with database.begin() as connection:
        await lock(connection, new.container_id)
        await require_owner(connection, new.owner_id)
        made = await connection.scalar(
            insert(artifacts)
            .values(hash=uuid.uuid4().hex, **fields)
            .on_conflict_do_nothing(
                index_elements=[artifacts.c.container_id, artifacts.c.source_data_identifier]
            )
            .returning(artifacts.c.id)
        )
        if made is None:
            existing = await connection.execute(
                select(artifacts.c.id).where(
                    artifacts.c.container_id == new.container_id,
                    artifacts.c.source_data_identifier == identifier,
                )
            )
            raise DuplicateArtifact(identifier, existing.scalar_one())
        await connection.execute(
            update(containers)
            .where(containers.c.id == new.container_id)
            .values(artifact_update_time=func.now())
        )
    return int(made)
