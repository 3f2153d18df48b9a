"""The queue: accepted runs on their way into Prefect, first come first served.

A run of lower priority stands in it as if it had come some minutes later: those of higher priority
that come meanwhile overtake it, and none that comes after. So nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, any_, bindparam, column, func, literal, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from adapters.store.database import Database
from adapters.store.measures import count_end
from adapters.store.playbook_runs import ending, finish
from adapters.store.prepared import Prepared
from adapters.store.tables import playbook_runs as runs

BATCH = 100
QUEUE_LOCK = 0x50485155  # "PHQU": held by the dispatcher that takes from the queue
TAKEOVER_SECONDS = 15
"""A run whose creation in Prefect has had no outcome for this long is tried again. Creating it
twice is harmless: its dispatch key makes Prefect return the first flow run."""


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run to be created in Prefect."""

    id: int
    playbook_id: int
    container_id: int
    dispatch_key: UUID
    request_id: str | None
    traceparent: str | None
    container_name: str
    container_label: str
    again: bool
    """Its creation was tried before and had no outcome: it may stand in Prefect already."""


async def take(database: Database, *, window: int, resting: Sequence[int] = ()) -> list[QueuedRun]:
    """Take the next runs, each for one dispatcher only, up to `window` not started in Prefect.

    The rest wait here: a long backlog in Prefect would starve every other run there. Runs of the
    `resting` playbooks are passed over.
    """
    async with database.begin() as connection:
        # One dispatcher at a time, for these few statements: two that count at the same moment
        # would each fill the window.
        await connection.execute(_ALONE)
        standing = (await connection.execute(_STANDING, _TAKEOVER)).scalar_one()
        if standing >= window:
            return []
        values = {"limit": min(BATCH, window - standing), "resting": [*resting]}
        rows = await connection.execute(_TAKE, {**values, **_TAKEOVER})
        return [QueuedRun(*row) for row in rows]


_TAKEOVER = {"takeover": TAKEOVER_SECONDS}
_ALONE = text(f"SELECT pg_advisory_xact_lock({QUEUE_LOCK})")
_STANDING = text(
    """
    SELECT count(*) FROM playbook_runs
    WHERE status = 'running' AND claim_time IS NULL AND dispatch_time IS NOT NULL
      AND (flow_run_id IS NOT NULL
           OR dispatch_time >= now() - make_interval(secs => :takeover))
    """
)
# An array, because PostgreSQL would read the whole table for a join with rows it cannot count.
_TAKE = text(
    """
    WITH next AS (
      SELECT id, queue_time, dispatch_time IS NOT NULL AS again FROM playbook_runs
      WHERE status = 'running' AND claim_time IS NULL AND flow_run_id IS NULL
        AND (dispatch_time IS NULL
             OR dispatch_time < now() - make_interval(secs => :takeover))
        AND playbook_id <> ALL (CAST(:resting AS bigint[]))
      ORDER BY queue_time, id
      LIMIT :limit
      FOR UPDATE SKIP LOCKED
    ), taken AS (
      UPDATE playbook_runs SET dispatch_time = now() WHERE id = ANY (ARRAY(SELECT id FROM next))
      RETURNING id, playbook_id, container_id, dispatch_key, request_id, traceparent
    )
    SELECT taken.*, containers.name, containers.label, next.again
    FROM taken JOIN next USING (id) JOIN containers ON containers.id = taken.container_id
    ORDER BY next.queue_time, taken.id
    """
)


_created = (
    func.unnest(
        bindparam("ids", type_=ARRAY(BigInteger)), bindparam("flow_run_ids", type_=ARRAY(Uuid))
    )
    .table_valued(column("id", BigInteger), column("flow_run_id", Uuid))
    .render_derived(name="created")
)
_RECORD = Prepared(
    update(runs)
    .where(runs.c.id == _created.c.id, runs.c.flow_run_id.is_(None))
    .values(flow_run_id=_created.c.flow_run_id)
)


async def record(database: Database, created: dict[int, UUID]) -> None:
    """Note the flow runs that were created, by run id."""
    await database.fetch(_RECORD, ids=list(created), flow_run_ids=list(created.values()))


async def give_back(database: Database, playbook_run_ids: Collection[int]) -> None:
    """Put runs back to their places in the queue, which Prefect has certainly not made.

    Those whose cancel was asked for meanwhile end there, as if they had never left it.
    """
    given = (
        runs.c.id == any_(literal(list(playbook_run_ids), ARRAY(BigInteger))),
        runs.c.flow_run_id.is_(None),
        runs.c.end_time.is_(None),
    )
    cancelled = {**ending("failed", ""), "message": runs.c.cancelled}
    async with database.begin() as connection:
        await connection.execute(
            update(runs).where(*given, runs.c.cancel_time.is_(None)).values(dispatch_time=None)
        )
        await connection.execute(
            update(runs)
            .where(*given, runs.c.cancel_time.is_not(None))
            .values(**cancelled, dispatch_time=None, result=[], settled=True)
        )


async def refuse(database: Database, playbook_run_ids: Sequence[int], reason: str) -> None:
    """End runs failed that can never be created, for a reason that their readers will see."""
    async with database.begin() as connection:
        refused = await connection.execute(
            update(runs)
            .where(
                runs.c.id == any_(literal(list(playbook_run_ids), ARRAY(BigInteger))),
                runs.c.end_time.is_(None),
            )
            # None of them has begun, so there are no actions to look at.
            .values(**ending("failed", reason), result=[], settled=True)
            .returning(runs.c.cancelled)
        )
        for cancelled in refused.scalars():
            count_end("failed", cancelled)


async def end_overdue(database: Database, *, hours: float) -> list[int]:
    """End runs failed that nothing has started for `hours`, a batch at a time; return their ids."""
    # Ids rise with the time: the oldest are looked at, not a queue that may be very long.
    query = text(
        """
        WITH oldest AS (
          SELECT id, update_time FROM playbook_runs
          WHERE NOT settled AND status = 'running' AND claim_time IS NULL
          ORDER BY id LIMIT :batch
        )
        SELECT id FROM playbook_runs
        WHERE status = 'running' AND claim_time IS NULL AND id = ANY (ARRAY(
          SELECT id FROM oldest WHERE update_time < now() - make_interval(secs => :seconds)
        ))
        ORDER BY id FOR UPDATE
        """
    )
    reason = f"No worker took the run within {hours:g} hours"
    async with database.begin() as connection:
        values = {"seconds": hours * 3600, "batch": BATCH}
        overdue = list((await connection.execute(query, values)).scalars())
        for playbook_run_id in overdue:
            await finish(connection, playbook_run_id, "failed", reason)
        return overdue
