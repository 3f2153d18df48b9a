"""The slots that runs hold in limits of Prefect, so that those of a dead run can be given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, or_
from sqlalchemy.dialects.postgresql import insert

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs.attempts import hold
from prefect_phantom.adapters.store.tables.tables import held_slots
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What an attempt that is over held last."""

    playbook_run_id: int
    leases: list[UUID]


async def note(database: Database, token: str, leases: Sequence[UUID]) -> None:
    """Note all that the attempt with this token holds now.

    Raises:
        Superseded: the attempt is stale, or its run has ended or is being cancelled.
    """
    async with database.begin() as connection:
        held = await hold(connection, token)
        new = insert(held_slots).values(
            playbook_run_id=held.id, attempt=held.attempt, leases=list(leases)
        )
        await connection.execute(
            new.on_conflict_do_update(
                constraint=held_slots.primary_key, set_={"leases": new.excluded.leases}
            )
        )


async def take_abandoned(database: Database) -> list[Abandoned]:
    """What attempts that are over held last, to be given back by the caller, who alone is told.

    Prefect would count a slot twice that two give back at the same moment.
    """
    over = or_(
        runs.c.end_time.is_not(None),
        runs.c.claim_id.is_(None),
        runs.c.attempt != held_slots.c.attempt,
    )
    query = delete(held_slots).where(runs.c.id == held_slots.c.playbook_run_id, over)
    async with database.begin() as connection:
        rows = await connection.execute(
            query.returning(held_slots.c.playbook_run_id, held_slots.c.leases)
        )
        return [Abandoned(*row) for row in rows]
