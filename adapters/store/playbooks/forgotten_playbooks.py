"""Forgetting a playbook whose file is gone, and what goes with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import PlaybookJustGone, PlaybookPresent
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import ALONE
from prefect_phantom.adapters.store.playbooks.playbooks import GONE_SECONDS
from prefect_phantom.adapters.store.runs.playbook_runs import finish
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks as table

FORGOTTEN = "The playbook {} was forgotten"


@dataclass(frozen=True, slots=True)
class GonePlaybook:
    """A playbook whose file is gone, with the runs that wait: queued, not begun, or suspended."""

    id: int
    name: str
    deployment_id: UUID | None
    waiting: list[int]
    has_runs: bool
    """Runs refer to it, so its row stays: they go on to say what they ran."""


async def read(database: Database, playbook_id: int) -> GonePlaybook:
    """What would go with a playbook.

    Raises:
        NotFound: no playbook has this id.
        PlaybookPresent, PlaybookJustGone: its file is there, or may come back in a moment.
    """
    async with database.read() as connection:
        return await _read(connection, playbook_id)


async def _read(connection: AsyncConnection, playbook_id: int) -> GonePlaybook:
    row = await playbooks.find(connection, playbook_id, repositories=())
    name = f"{row.repository}/{row.name}"
    if row.gone_time is None:
        raise PlaybookPresent(name)
    if row.may_come_back:
        raise PlaybookJustGone(name, GONE_SECONDS)
    waiting = list((await connection.execute(_waiting(row.id))).scalars())
    has_runs = exists().where(runs.c.playbook_id == row.id)
    kept = bool(await connection.scalar(select(has_runs)))
    return GonePlaybook(row.id, name, row.deployment_id, waiting, kept)


async def forget(
    database: Database, playbook_id: int, delete_deployment: Callable[[UUID], Awaitable[None]]
) -> GonePlaybook:
    """Delete the deployment, end the runs that wait, and delete the row unless runs refer to it.

    Meanwhile no report is taken in, so that a file which comes back is either seen before anything
    is deleted, or is that of a new playbook. One that is kept can still be named, has no
    deployment, and comes back with its file.

    Raises:
        NotFound: no playbook has this id.
        PlaybookPresent, PlaybookJustGone: its file is there, or may come back in a moment.
    """
    async with database.begin(asks_others=True) as connection:
        await connection.execute(ALONE)
        playbook = await _read(connection, playbook_id)
        if playbook.deployment_id is not None:
            await delete_deployment(playbook.deployment_id)
        for run in (await connection.execute(_waiting(playbook.id))).all():
            reason = FORGOTTEN.format(playbook.name)
            await finish(connection, run.id, "failed", reason, settled=run.flow_run_id is None)
        await connection.execute(
            update(table)
            .where(table.c.id == playbook.id)
            .values(
                deployment_id=None,
                registered_digest="",
                registered_isolation="",
                paused_schedules=None,
                paused_before=False,
            )
        )
        has_runs = exists().where(runs.c.playbook_id == table.c.id)
        await connection.execute(delete(table).where(table.c.id == playbook.id, ~has_runs))
        about(playbook.id)
    return playbook


def _waiting(playbook_id: int) -> Select[Any]:
    """The runs of a playbook that no process holds."""
    return (
        select(runs.c.id, runs.c.flow_run_id)
        .where(
            runs.c.playbook_id == playbook_id,
            ~runs.c.settled,
            runs.c.status == "running",
            runs.c.claim_id.is_(None),
        )
        .order_by(runs.c.id)
    )
