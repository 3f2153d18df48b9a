"""What is put right in our database after a restore, before a gateway serves it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, any_, delete, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs.playbook_runs import finish
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.worker_tables import worker_names

LEFT_OUT = 1_000_000
"""Ids that are given to nothing: callers may hold ids that were given after the backup, and must
not find other things under them."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How many open runs were ended."""

    failed: int


async def leave_out_ids(database: Database) -> None:
    """Give no id again that may have been given after the backup."""
    runs_and_parts = ("playbook_runs", "action_runs", "app_runs")
    records = ("containers", "artifacts", "notes", "container_comments", "container_pins")
    async with database.begin() as connection:
        for table in (*runs_and_parts, *records):
            sequence = f"{table}_id_seq"
            query = text(f"SELECT setval('{sequence}', nextval('{sequence}') + {LEFT_OUT})")
            await connection.execute(query)


async def free_worker_names(database: Database) -> None:
    """Have each name free: whoever had it at the time of the backup has it in another database."""
    async with database.begin() as connection:
        await connection.execute(delete(worker_names))


async def end_open(database: Database, reason: str) -> Settled:
    """End every open run: cancelled where a cancel was asked for, else failed for `reason`."""
    async with database.begin() as connection:
        query = select(runs.c.id, runs.c.cancelled, runs.c.flow_run_id).where(
            ~runs.c.settled, runs.c.end_time.is_(None)
        )
        found = (await connection.execute(query.order_by(runs.c.id))).all()
        for run in found:
            await finish(
                connection,
                run.id,
                "failed",
                run.cancelled or reason,
                settled=run.flow_run_id is None,
                process_gone=True,
            )
    return Settled(len(found))


async def compare_again(database: Database, unfinished: Sequence[UUID]) -> None:
    """Have ended runs told to Prefect that was seen to know, and at its own snapshot did not."""
    async with database.begin() as connection:
        await connection.execute(
            update(runs)
            .where(runs.c.flow_run_id == any_(literal(list(unfinished), ARRAY(Uuid))))
            .where(runs.c.end_time.is_not(None), runs.c.settled)
            .values(settled=False)
        )


async def offered(database: Database) -> list[UUID]:
    """The flow runs of open runs that no process has claimed yet."""
    query = select(runs.c.flow_run_id).where(
        ~runs.c.settled,
        runs.c.end_time.is_(None),
        runs.c.claim_time.is_(None),
        runs.c.flow_run_id.is_not(None),
    )
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def queue_again(database: Database, missing: Collection[UUID]) -> None:
    """Put runs back into the queue whose flow runs are not there: they have not begun."""
    async with database.begin() as connection:
        await connection.execute(
            update(runs)
            .where(runs.c.flow_run_id == any_(literal(list(missing), ARRAY(Uuid))))
            .where(runs.c.end_time.is_(None), runs.c.claim_time.is_(None))
            .values(flow_run_id=None, dispatch_time=None)
        )
