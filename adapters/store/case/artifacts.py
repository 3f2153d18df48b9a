"""Artifacts: the indicators of a container, with their CEF fields."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import Select, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import BadField, DuplicateArtifact, NotFound
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.case.containers import hold, lock, owner, refuse_if_given, said
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields
from prefect_phantom.adapters.store.tables.case_tables import notes
from prefect_phantom.adapters.store.tables.tables import artifacts, containers, playbook_runs

DEFAULT_NAME = "artifact"
DEFAULT_LABEL = "event"


async def add(connection: AsyncConnection, container_id: int, new: ArtifactFields) -> int:
    """Add an artifact to a container that is locked, or that is made in this transaction.

    Without a ``source_data_identifier`` it gets a random one. Raises `DuplicateArtifact` when the
    container has one with that identifier, and `UnknownOwner`. What was added before stays.
    """
    fields = said(new) | await owner(connection, new.owner_id)
    identifier: str = fields.setdefault("source_data_identifier", str(uuid.uuid4()))
    made: int | None = await connection.scalar(
        insert(artifacts)
        .values(
            container_id=container_id,
            hash=uuid.uuid4().hex,
            **{"name": DEFAULT_NAME, "label": DEFAULT_LABEL} | fields,
        )
        .on_conflict_do_nothing(
            index_elements=[artifacts.c.container_id, artifacts.c.source_data_identifier]
        )
        .returning(artifacts.c.id)
    )
    if made is None:
        existing = await connection.execute(_with_identifier(container_id, identifier))
        raise DuplicateArtifact(identifier, existing.scalar_one())
    return made


async def change(
    database: Database,
    artifact_id: int,
    changes: ArtifactFields,
    cleared: Collection[str],
    *,
    container_id: int | None = None,
) -> None:
    """Replace fields of an artifact, `cef` as a whole like all others.

    The fields named in `cleared` become null. `container_id` is where the caller takes it to be.

    Raises:
        NotFound: no artifact has this id.
        BadField: it is in another container; what runs have seen there stays there.
        DuplicateArtifact: another one of its container has the identifier.
        UnknownOwner: no user has this id or name.
    """
    async with database.begin() as connection:
        await change_held(connection, artifact_id, changes, cleared, container_id=container_id)


async def change_held(
    connection: AsyncConnection,
    artifact_id: int,
    changes: ArtifactFields,
    cleared: Collection[str] = (),
    *,
    container_id: int | None = None,
) -> int:
    """`change` in a transaction; returns the container that the artifact is in."""
    home = await container_of(connection, artifact_id)
    if container_id not in {None, home}:
        accepted = f"{home}, where the artifact stays, or left out"
        raise BadField("container_id", container_id, accepted)
    await lock(connection, home)
    fields = said(changes) | dict.fromkeys(cleared, null())
    fields |= await owner(connection, changes.owner_id)
    if (identifier := changes.source_data_identifier) is not None:
        holder = await connection.scalar(_with_identifier(home, identifier))
        if holder is not None and holder != artifact_id:
            raise DuplicateArtifact(identifier, holder)
    await connection.execute(
        update(artifacts)
        .where(artifacts.c.id == artifact_id)
        .values(update_time=func.now(), **fields)
    )
    await note_in_container(connection, home)
    about(artifact_id)
    return home


async def container_of(connection: AsyncConnection, artifact_id: int) -> int:
    """The container that an artifact is in. Raises `NotFound`."""
    query = select(artifacts.c.container_id).where(artifacts.c.id == artifact_id)
    home: int | None = await connection.scalar(query)
    if home is None:
        raise NotFound("Artifact", artifact_id)
    return home


async def remove(database: Database, artifact_id: int) -> None:
    """Delete an artifact, while no run was accepted that may have seen it. Its notes stay.

    Raises `NotFound`, and `RunsRefer` when there was such a run, however it ended.
    """
    async with database.begin() as connection:
        home = await container_of(connection, artifact_id)
        await hold(connection, home)
        there = playbook_runs.c.last_artifact >= artifact_id
        await refuse_if_given(connection, "Artifact", artifact_id, home, there)
        await connection.execute(
            update(notes).where(notes.c.artifact_id == artifact_id).values(artifact_id=None)
        )
        await connection.execute(delete(artifacts).where(artifacts.c.id == artifact_id))
        await note_in_container(connection, home)
        about(artifact_id)


def _with_identifier(container_id: int, identifier: str) -> Select[tuple[int]]:
    return select(artifacts.c.id).where(
        artifacts.c.container_id == container_id,
        artifacts.c.source_data_identifier == identifier,
    )


async def note_in_container(connection: AsyncConnection, container_id: int) -> None:
    """Let a container say that its artifacts have changed."""
    await connection.execute(
        update(containers)
        .where(containers.c.id == container_id)
        .values(artifact_update_time=func.now())
    )
