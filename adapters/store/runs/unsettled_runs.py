"""Runs that row and Prefect have not both seen the end of, and what may be done about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Uuid, any_, bindparam, func, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.runs.playbook_runs import finish, mark_cancelled
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

LEAVING_SECONDS = 30
LATELY = timedelta(hours=1)
NEWEST = 10_000
"""So many runs are looked at for those that ended lately: ids rise with the time."""
CANCELLED_IN_PREFECT = "Cancelled in Prefect"
STOPPED = "Stopped with the system"


@dataclass(frozen=True, slots=True)
class UnsettledRun:
    """A run with a flow run, as the reconciler compares them. Ages are in seconds."""

    id: int
    flow_run_id: UUID
    status: str
    message: str
    cancelled: str
    cancelling: bool
    claimed: bool
    restarting: bool
    ended_age: float | None


class Which(StrEnum):
    """Which unsettled runs to look at: the fewer, the oftener."""

    CANCELLING = "cancelling"
    """Those that somebody waits to see ended."""
    ENDING = "ending"
    """Those, the ones whose row has ended, and the ones that are to start again."""
    ALL = "all"


async def read_page(
    database: Database, which: Which = Which.ALL, *, after: int, limit: int
) -> list[UnsettledRun]:
    """The next unsettled runs with an id above `after`, in the order of their ids."""
    cancelling, ended = runs.c.cancel_time.is_not(None), runs.c.end_time.is_not(None)
    ending = cancelling | ended | runs.c.restarting
    chosen = {Which.CANCELLING: cancelling, Which.ENDING: ending, Which.ALL: true()}
    # Not "IS false": only this is known to fit the index.
    return await _read_page(database, ~runs.c.settled, chosen[which], after=after, limit=limit)


async def read_ended_lately(database: Database, *, after: int, limit: int) -> list[UnsettledRun]:
    """The next settled runs above `after` that ended in the last hour, of the newest runs."""
    newest = select(func.max(runs.c.id) - NEWEST).scalar_subquery()
    ended_lately = runs.c.end_time > func.now() - LATELY
    lately = (runs.c.settled, ended_lately, runs.c.id > newest)
    return await _read_page(database, *lately, after=after, limit=limit)


async def _read_page(
    database: Database, *chosen: ColumnElement[bool], after: int, limit: int
) -> list[UnsettledRun]:
    ended_age = func.extract("epoch", func.clock_timestamp() - runs.c.end_time)
    query = (
        select(
            runs.c.id,
            runs.c.flow_run_id,
            runs.c.status,
            runs.c.message,
            runs.c.cancelled,
            runs.c.cancel_time.is_not(None).label("cancelling"),
            runs.c.claim_id.is_not(None).label("claimed"),
            runs.c.restarting,
            ended_age.label("ended_age"),
        )
        .where(*chosen, runs.c.flow_run_id.is_not(None), runs.c.id > after)
        .order_by(runs.c.id)
        .limit(limit)
    )
    async with database.read() as connection:
        rows = await connection.execute(query)
        return [UnsettledRun(**row) for row in rows.mappings()]


async def end(
    database: Database,
    run: UnsettledRun,
    status: Literal["success", "failed"],
    message: str,
    *,
    settled: bool,
) -> bool:
    """End a run for what Prefect says of it; False when it had ended meanwhile.

    A reason noted before, such as `STOPPED`, outranks what Prefect could make of the same event.
    """
    async with database.begin() as connection:
        reason = run.message or message if status == "failed" else message
        return await finish(connection, run.id, status, reason, settled=settled)


async def end_cancelled(
    database: Database, playbook_run_id: int, *, text: str, settled: bool
) -> bool:
    """End a run as cancelled; `text` is what `cancelled` says unless a cancel was asked for."""
    async with database.begin() as connection:
        query = select(runs.c.cancelled, runs.c.cancel_time).where(runs.c.id == playbook_run_id)
        row = (await connection.execute(query.with_for_update())).one()
        if row.cancel_time is None:
            await mark_cancelled(connection, playbook_run_id, user_id=None, text=text)
        return await finish(
            connection, playbook_run_id, "failed", row.cancelled or text, settled=settled
        )


async def note_cancelling(database: Database, playbook_run_id: int) -> None:
    """Prefect is cancelling the run, so its attempt may not act any more."""
    async with database.begin() as connection:
        await mark_cancelled(connection, playbook_run_id, user_id=None, text=CANCELLED_IN_PREFECT)


async def release(database: Database, playbook_run_id: int) -> None:
    """Take the claim back from a suspended run, whose process has exited; it is claimed anew."""
    async with database.begin() as connection:
        await connection.execute(
            update(runs)
            .where(runs.c.id == playbook_run_id, runs.c.end_time.is_(None))
            .values(claim_id=None, attempt_token_hash=None, lease_expire_time=None)
        )


async def restarted(database: Database, playbook_run_id: int) -> None:
    """Prefect has scheduled the flow run again, for a new attempt."""
    async with database.begin() as connection:
        await connection.execute(
            update(runs).where(runs.c.id == playbook_run_id).values(restarting=False)
        )


async def settle(database: Database, playbook_run_id: int) -> None:
    """Prefect agrees that the run has ended: there is nothing left to compare."""
    async with database.begin() as connection:
        await connection.execute(
            update(runs)
            .where(runs.c.id == playbook_run_id, runs.c.end_time.is_not(None))
            .values(settled=True)
        )


async def note_worker_stopping(database: Database, worker: str, machine: str) -> None:
    """The worker is about to stop its runs on `machine`; the reason is there before one dies."""
    async with database.begin() as connection:
        await connection.execute(
            update(runs)
            .where(
                runs.c.worker == worker,
                runs.c.machine == machine,
                runs.c.claim_id.is_not(None),
                runs.c.end_time.is_(None),
            )
            .values(message=STOPPED)
        )


_SETTLE_COMPLETED = Prepared(
    update(runs)
    .where(
        runs.c.flow_run_id == bindparam("of_flow_run", type_=Uuid),
        runs.c.process_id == bindparam("of_process", type_=Integer),
        runs.c.status == "success",
        runs.c.cancel_time.is_(None),
    )
    .values(settled=True)
    .returning(runs.c.id)
)


async def end_exited(
    database: Database, flow_run_id: UUID, *, process_id: int, code: int, completed: bool = False
) -> bool:
    """This process of a run has ended. A run that it held and has not ended itself ends now.

    Returns whether the run is to be compared with Prefect. It is not when Prefect has accepted its
    success from the process, as `completed` says: asking would cost Prefect more than being told.
    """
    of_run = {"of_flow_run": flow_run_id, "of_process": process_id}
    if completed and await database.fetch(_SETTLE_COMPLETED, **of_run):
        return False
    async with database.begin() as connection:
        query = select(
            runs.c.id, runs.c.cancelled, runs.c.message, runs.c.claim_id, runs.c.process_id
        ).where(runs.c.flow_run_id == flow_run_id, runs.c.end_time.is_(None))
        row = (await connection.execute(query.with_for_update())).one_or_none()
        # A process that never claimed leaves the run to the next, or to the one that holds it; one
        # that is suspended too.
        if row is not None and row.claim_id is not None and row.process_id == process_id:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            message = row.cancelled or row.message or f"The run's process died: {how}"
            await finish(connection, row.id, "failed", message, process_gone=True)
    if row is None:
        await unsettle(database, [flow_run_id])
    return True


_UNSETTLE = Prepared(
    update(runs)
    .where(
        runs.c.flow_run_id == any_(bindparam("flow_run_ids", type_=ARRAY(Uuid))),
        runs.c.end_time.is_not(None),
        runs.c.settled,
    )
    .values(settled=False)
)


async def unsettle(database: Database, flow_run_ids: Collection[UUID]) -> None:
    """Compare ended runs with Prefect once more: something has happened to their flow runs.

    A process may have set one running after that was seen ended, and have died before it was told
    that the run is over; or somebody has changed its state.
    """
    await database.fetch(_UNSETTLE, flow_run_ids=list(flow_run_ids))


_LEFT = (runs.c.end_time < func.now() - timedelta(seconds=LEAVING_SECONDS)) | (
    runs.c.end_time.is_not(None) & runs.c.attempt_token_hash.is_(None)
)
_REFUSED = Prepared(
    select(runs.c.flow_run_id).where(
        runs.c.flow_run_id == any_(bindparam("flow_run_ids", type_=ARRAY(Uuid))),
        runs.c.cancel_time.is_not(None) | _LEFT,
    )
)


async def refused(database: Database, flow_run_ids: Sequence[UUID]) -> list[UUID]:
    """Which of these flow runs may not go on: cancelled, ended by others, or ended a while ago.

    A run that has just reported its end is still telling Prefect so, and sending on its logs.
    """
    rows = await database.fetch_all(_REFUSED, flow_run_ids=list(flow_run_ids))
    return [row["flow_run_id"] for row in rows]
