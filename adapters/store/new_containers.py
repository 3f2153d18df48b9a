"""New containers with the artifacts that come with them."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.errors import DuplicateArtifact, PhantomError, UnknownOwner
from adapters.store import artifacts, containers
from adapters.store.artifacts import ArtifactFields
from adapters.store.containers import ContainerFields
from adapters.store.database import Database

Outcome = int | PhantomError
"""What became of one artifact: its id, or why there is none."""


async def create(
    database: Database, new: ContainerFields, given: Sequence[ArtifactFields | PhantomError] = ()
) -> tuple[int, list[Outcome]]:
    """Store a container and its artifacts in one transaction; returns its id and their outcomes.

    An artifact that cannot be had, or that was found wrong before, leaves the others and the
    container as they are. Raises `DuplicateContainer` and `UnknownOwner`, of the container.
    """
    async with database.begin() as connection:
        container_id = await containers.add(connection, new)
        outcomes: list[Outcome] = []
        for each in given:
            if isinstance(each, PhantomError):
                outcomes.append(each)
                continue
            try:
                outcomes.append(await artifacts.add(connection, container_id, each))
            except (DuplicateArtifact, UnknownOwner) as error:
                outcomes.append(error)
    return container_id, outcomes
