"""The slots that runs hold in limits of Prefect, so that those of a dead run can be given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from adapters.store.attempts import hold
from adapters.store.database import Database
from adapters.store.tables import held_slots
from adapters.store.tables import playbook_runs as runs


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What an attempt that is over held last."""

    playbook_run_id: int
    attempt: int
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


async def abandoned(database: Database) -> list[Abandoned]:
    """What is noted of attempts that are over."""
    query = (
        select(held_slots)
        .join(runs, runs.c.id == held_slots.c.playbook_run_id)
        .where(
            or_(
                runs.c.end_time.is_not(None),
                runs.c.claim_id.is_(None),
                runs.c.attempt != held_slots.c.attempt,
            )
        )
    )
    async with database.read() as connection:
        return [Abandoned(*row) for row in await connection.execute(query)]


async def forget(database: Database, given_back: Abandoned) -> None:
    """Delete the note of slots that were given back."""
    async with database.begin() as connection:
        await connection.execute(
            delete(held_slots).where(
                held_slots.c.playbook_run_id == given_back.playbook_run_id,
                held_slots.c.attempt == given_back.attempt,
            )
        )
