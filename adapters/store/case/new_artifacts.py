"""New artifacts of one container: made together with the runs that they start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import DuplicateArtifact, PhantomError, UnknownOwner
from prefect_phantom.adapters.store.accounts.served_request import note_each
from prefect_phantom.adapters.store.case.artifacts import add, note_in_container
from prefect_phantom.adapters.store.case.containers import lock
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.starts import automation
from prefect_phantom.adapters.store.starts.automation import Automation
from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields

Outcome = int | PhantomError
"""What became of one artifact: its id, or why there is none."""


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """An artifact that somebody brings. `run_automation` lets it start active playbooks."""

    fields: ArtifactFields
    run_automation: bool = True


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of the artifacts, in their order, and the runs that were started for them."""

    outcomes: list[Outcome]
    run_ids: list[int]
    container_label: str


async def create(
    database: Database,
    container_id: int,
    given: Sequence[NewArtifact | PhantomError],
    by: Automation,
) -> Brought:
    """Add artifacts to their container in one transaction, and start its playbooks once.

    An artifact that cannot be had leaves the others as they are. Raises `NotFound`.
    """
    async with database.begin() as connection:
        label = await lock(connection, container_id)
        brought = await bring(connection, container_id, label, given, by)
        made = [each for each in brought.outcomes if isinstance(each, int)]
        if made:
            await note_in_container(connection, container_id)
        await note_each(connection, made)
    return brought


async def bring(
    connection: AsyncConnection,
    container_id: int,
    label: str,
    given: Sequence[NewArtifact | PhantomError],
    by: Automation,
    *,
    run_automation: bool = False,
) -> Brought:
    """`create` in a transaction that holds the container, or that made it.

    What was found wrong before stands among the outcomes as it is. With `run_automation` the
    playbooks start whatever was brought.
    """
    outcomes: list[Outcome] = []
    starts = run_automation
    for each in given:
        if isinstance(each, PhantomError):
            outcomes.append(each)
            continue
        try:
            outcomes.append(await add(connection, container_id, each.fields))
        except (DuplicateArtifact, UnknownOwner) as error:
            outcomes.append(error)
        else:
            starts = starts or each.run_automation
    run_ids = await automation.start(connection, container_id, by) if starts else []
    return Brought(outcomes, run_ids, label)
