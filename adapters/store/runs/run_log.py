"""The log of a run: what it has logged and printed, and the exception that ended it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.tables.tables import run_log

ERROR, DEBUG = 0, 1
MOST_LINES = 10_000
"""Lines that are kept of one run, of all its attempts together, give or take a batch."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line. `place` is its number in its attempt: one that is sent again is known by it."""

    place: int
    time: datetime
    message_type: int
    message: str


async def keep(
    connection: AsyncConnection, playbook_run_id: int, attempt: int, lines: Sequence[Line]
) -> None:
    """Keep lines in a transaction that holds their run. Beyond `MOST_LINES` they are left out."""
    if not lines:
        return
    counted = select(func.count()).where(run_log.c.playbook_run_id == playbook_run_id)
    if (await connection.execute(counted)).scalar_one() > MOST_LINES:
        return
    rows = [
        {
            "playbook_run_id": playbook_run_id,
            "attempt": attempt,
            "place": line.place,
            "time": line.time,
            "message_type": line.message_type,
            "message": line.message,
        }
        for line in lines
    ]
    await connection.execute(insert(run_log).on_conflict_do_nothing(), rows)


async def note_failure(connection: AsyncConnection, playbook_run_id: int, message: str) -> None:
    """Say why a run failed whose own process could not."""
    row = {"playbook_run_id": playbook_run_id, "message_type": ERROR, "message": message}
    await connection.execute(insert(run_log).values(row))
