"""New containers with the artifacts that come with them, and the runs that they start."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_phantom.adapters.errors import PhantomError
from prefect_phantom.adapters.store.case import containers
from prefect_phantom.adapters.store.case.new_artifacts import Brought, NewArtifact, bring
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.starts.automation import Automation
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields

NOBODY = Automation()


async def create(
    database: Database,
    new: ContainerFields,
    given: Sequence[NewArtifact | PhantomError] = (),
    by: Automation = NOBODY,
    *,
    run_automation: bool = False,
) -> tuple[int, Brought]:
    """Store a container with its artifacts in one transaction, and start its playbooks once.

    Returns its id and what came of the artifacts. One that cannot be had, or that was found wrong
    before, leaves the others and the container as they are. Raises `DuplicateContainer` and
    `UnknownOwner`, of the container.
    """
    async with database.begin() as connection:
        container_id = await containers.add(connection, new)
        brought = await bring(
            connection, container_id, new.label or "", given, by, run_automation=run_automation
        )
    return container_id, brought
