"""Leases: a run whose process nobody answers for any more ends, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Row, Select, Uuid, any_, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.runs.playbook_runs import close_actions, finish
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks

LEASE_SECONDS = 60
WORKER_GONE = "The run's process died: its worker was stopped"
LEASE_LOST = f"The run's worker was not heard of for {LEASE_SECONDS} seconds"
TIMED_OUT = "The run took longer than the {:g} seconds that its playbook allows"
GIVING_UP_SECONDS = 5
"""How long a run that has timed out may take to say so itself."""
MOST_ATTEMPTS = 5
"""A restartable run that has lost its worker so often is itself the reason, and ends failed."""

FROM_NOW = text(f"now() + interval '{LEASE_SECONDS} seconds'")
_RENEWED = (
    runs.c.flow_run_id == any_(bindparam("flow_run_ids", type_=ARRAY(Uuid))),
    runs.c.worker == bindparam("of_worker", type_=runs.c.worker.type),
    runs.c.claim_id.is_not(None),
    runs.c.end_time.is_(None),
)
_free = select(runs.c.id).where(*_RENEWED).with_for_update(key_share=True, skip_locked=True)
_RENEW_FREE = Prepared(
    update(runs)
    .where(runs.c.id.in_(_free))
    .values(lease_expire_time=FROM_NOW)
    .returning(runs.c.flow_run_id)
)
_RENEW = Prepared(update(runs).where(*_RENEWED).values(lease_expire_time=FROM_NOW))
_TIME = Prepared(select(func.extract("epoch", func.clock_timestamp()).label("seconds")))


@dataclass(frozen=True, slots=True)
class GoneProcess:
    """The process of a flow run, which has ended without anybody to report it."""

    flow_run_id: UUID
    process_id: int


async def renew(database: Database, worker: str, flow_run_ids: Sequence[UUID]) -> None:
    """Let these runs go on for `LEASE_SECONDS` more, as far as `worker` holds them.

    What somebody works on is waited for at last, and not longer than the database's connections
    wait for locks: then it is left to the next renewal. No lock is held for as long as a lease.
    """
    free = await database.fetch_all(_RENEW_FREE, flow_run_ids=list(flow_run_ids), of_worker=worker)
    if locked := set(flow_run_ids) - {row["flow_run_id"] for row in free}:
        with suppress(asyncpg.LockNotAvailableError):
            await database.fetch(_RENEW, flow_run_ids=list(locked), of_worker=worker)


async def time(database: Database) -> float:
    """The database's clock, in seconds."""
    row = await database.fetch(_TIME)
    return float(row["seconds"]) if row else 0.0


async def end_gone(database: Database, worker: str, gone: Sequence[GoneProcess]) -> list[int]:
    """End the runs that these processes of `worker` held, or have them started again."""
    async with database.begin() as connection:
        ended: list[int] = []
        for process in gone:
            query = _held().where(
                runs.c.flow_run_id == process.flow_run_id,
                runs.c.worker == worker,
                runs.c.process_id == process.process_id,
            )
            for row in (await connection.execute(query)).all():
                await end_or_restart(connection, row, WORKER_GONE)
                ended.append(row.id)
        return ended


async def end_expired(database: Database) -> list[int]:
    """End the runs whose lease has run out, or have them started again; return their ids.

    One that somebody works on at this moment is left to the next look.
    """
    query = _held(skip_locked=True).where(runs.c.lease_expire_time < func.now())
    async with database.begin() as connection:
        expired = (await connection.execute(query.order_by(runs.c.id))).all()
        for row in expired:
            await end_or_restart(connection, row, LEASE_LOST)
        return [row.id for row in expired]


async def end_timed_out(database: Database) -> list[int]:
    """End the runs that take longer than their playbook allows; return their ids.

    The run itself gives up in time, unless it is deaf, such as in a call of C code: then its worker
    hears that it may not go on, and ends its process.
    """
    allowed = func.make_interval(0, 0, 0, 0, 0, 0, playbooks.c.timeout_seconds + GIVING_UP_SECONDS)
    query = _held(skip_locked=True).add_columns(playbooks.c.timeout_seconds)
    query = query.where(runs.c.claim_time + allowed < func.now(), runs.c.cancel_time.is_(None))
    async with database.begin() as connection:
        overdue = (await connection.execute(query)).all()
        for row in overdue:
            # Without its token the process is told to stop at once, not after a while.
            await connection.execute(
                update(runs).where(runs.c.id == row.id).values(attempt_token_hash=None)
            )
            await finish(connection, row.id, "failed", TIMED_OUT.format(row.timeout_seconds))
        return [row.id for row in overdue]


async def end_held_by(
    database: Database, worker: str, machine: str, *, reason: str, final: bool
) -> list[int]:
    """End every run that `worker` held on `machine`; its processes are known to be gone.

    Restartable ones are started again, unless it is `final`. What a worker of that name holds on
    another machine lives until its lease is over, since nobody here can see its processes.
    """
    query = _held().where(runs.c.worker == worker, runs.c.machine == machine)
    async with database.begin() as connection:
        held = (await connection.execute(query)).all()
        for row in held:
            await end_or_restart(connection, row, reason, final=final)
        return [row.id for row in held]


def _held(*, skip_locked: bool = False) -> Select[Any]:
    return (
        select(runs.c.id, runs.c.cancelled, runs.c.message, runs.c.attempt, playbooks.c.restartable)
        .join(playbooks, playbooks.c.id == runs.c.playbook_id)
        .where(runs.c.claim_id.is_not(None), runs.c.end_time.is_(None))
        .with_for_update(of=runs, skip_locked=skip_locked)
    )


async def end_or_restart(
    connection: AsyncConnection, row: Row[Any], reason: str, *, final: bool = False
) -> None:
    """End a run whose process is gone, or give it back for a new attempt if it may have one.

    One that is being cancelled ends cancelled, and one that was stopped with the system says so.
    """
    known = row.cancelled or row.message
    if row.restartable and not final and not known and row.attempt < MOST_ATTEMPTS:
        await close_actions(connection, row.id)
        await connection.execute(
            update(runs)
            .where(runs.c.id == row.id)
            .values(
                claim_id=None,
                claim_time=None,
                attempt_token_hash=None,
                lease_expire_time=None,
                worker=None,
                hostname=None,
                process_id=None,
                process_start=None,
                machine=None,
                restarting=True,
                update_time=func.now(),
            )
        )
    else:
        await finish(connection, row.id, "failed", known or reason, process_gone=True)
