"""Forgetting a playbook whose file is gone, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, exists, select, update

from adapters.errors import Invalid, PlaybookNotFound
from adapters.store.database import Database
from adapters.store.found_playbooks import ALONE
from adapters.store.playbook_runs import finish
from adapters.store.served_request import about
from adapters.store.tables import playbook_runs as runs
from adapters.store.tables import playbooks

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
        PlaybookNotFound: no playbook has this id.
        Invalid: its file is there.
    """
    name = (playbooks.c.repository + "/" + playbooks.c.name).label("name")
    has_runs = exists().where(runs.c.playbook_id == playbooks.c.id).label("has_runs")
    query = select(
        playbooks.c.id, name, playbooks.c.deployment_id, playbooks.c.gone_time, has_runs
    ).where(playbooks.c.id == playbook_id)
    async with database.read() as connection:
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise PlaybookNotFound(playbook_id)
        if row.gone_time is None:
            message = f"Playbook {row.name} is in its repository; take its file away first"
            raise Invalid(message)
        waiting = list((await connection.execute(_waiting(playbook_id))).scalars())
    return GonePlaybook(row.id, row.name, row.deployment_id, waiting, row.has_runs)


async def forget(database: Database, playbook: GonePlaybook) -> None:
    """End the runs that wait, and delete the row unless runs refer to it.

    One that is kept can still be named, has no deployment, and comes back with its file.

    Raises:
        Invalid: its file has come back.
    """
    async with database.begin() as connection:
        await connection.execute(ALONE)
        query = select(playbooks.c.id).where(
            playbooks.c.id == playbook.id, playbooks.c.gone_time.is_not(None)
        )
        if (await connection.execute(query)).one_or_none() is None:
            message = f"Playbook {playbook.name} has come back to its repository"
            raise Invalid(message)
        for run in (await connection.execute(_waiting(playbook.id))).all():
            reason = FORGOTTEN.format(playbook.name)
            await finish(connection, run.id, "failed", reason, settled=run.flow_run_id is None)
        await connection.execute(
            update(playbooks)
            .where(playbooks.c.id == playbook.id)
            .values(
                deployment_id=None,
                registered_digest="",
                registered_isolation="",
                paused_schedules=None,
                paused_before=False,
            )
        )
        has_runs = exists().where(runs.c.playbook_id == playbooks.c.id)
        await connection.execute(delete(playbooks).where(playbooks.c.id == playbook.id, ~has_runs))
        about(playbook.id)


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
