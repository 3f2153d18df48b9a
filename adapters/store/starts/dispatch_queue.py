"""The queue: accepted runs on their way into Prefect, first come first served.

A run of lower priority stands in it as if it had come some minutes later: those of higher priority
that come meanwhile overtake it, and none that comes after. So nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Integer,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    literal,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.measures import count_end
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.runs.playbook_runs import ending
from prefect_phantom.adapters.store.tables.run_states import run_statement
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

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
    work_pool: str | None
    asks: bool
    """A worker has to ask Prefect for it, which has rules for its work queue or is not known to
    have none."""


async def take(database: Database, *, window: int, resting: Sequence[int] = ()) -> list[QueuedRun]:
    """Take the next runs, each for one dispatcher only, that may start by what Prefect says.

    Of each work queue at most `window` stand in Prefect without having started: a long backlog
    there would starve every other run. The rest wait here, and so does what may not start now.
    Runs of the `resting` playbooks are passed over.
    """
    async with database.begin() as connection:
        # One dispatcher at a time, for this statement: two that count at the same moment would
        # each fill the window.
        await connection.execute(_ALONE)
        values = {"limit": BATCH, "window": window, "resting": [*resting]}
        rows = await connection.execute(_TAKE, {**values, "takeover": TAKEOVER_SECONDS})
        return [QueuedRun(*row) for row in rows]


# Of a queue that has just grown PostgreSQL has no statistics: it would sort it, for each playbook,
# as if it were short, and not read it in the order of its index.
IN_ORDER = "set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
"""What the transaction of a statement that reads the queue selects first."""
_ALONE = text(f"SELECT pg_advisory_xact_lock({QUEUE_LOCK}), {IN_ORDER}")
# The playbooks that have queued runs are found one by one in an index, named by its whole order and
# its own words, so that a long queue of one is not read for the others. Arrays, because PostgreSQL
# would read the whole table for a join with rows it cannot count.
_TAKE = run_statement(
    """
    WITH RECURSIVE queued AS (
      (SELECT playbook_id FROM playbook_runs
       WHERE {not_dispatched}
       ORDER BY playbook_id, queue_time, id LIMIT 1)
      UNION ALL
      SELECT (SELECT playbook_id FROM playbook_runs
              WHERE {not_dispatched}
                AND playbook_id > queued.playbook_id
              ORDER BY playbook_id, queue_time, id LIMIT 1)
      FROM queued WHERE queued.playbook_id IS NOT NULL
    ), standing AS (
      SELECT playbooks.work_queue_id, count(*) AS count
      FROM playbook_runs JOIN playbooks ON playbooks.id = playbook_runs.playbook_id
      WHERE {waiting}
        AND (flow_run_id IS NOT NULL
             OR dispatch_time >= now() - make_interval(secs => :takeover))
      GROUP BY playbooks.work_queue_id
    ), roomy AS (
      SELECT queued.playbook_id, playbooks.work_queue_id, work_queues.work_pool,
        coalesce(work_queues.asks, true) AS asks,
        least(:window, work_queues.room) - coalesce(standing.count, 0) AS room
      FROM queued JOIN playbooks ON playbooks.id = queued.playbook_id
      LEFT JOIN work_queues ON work_queues.id = playbooks.work_queue_id
      LEFT JOIN standing ON standing.work_queue_id IS NOT DISTINCT FROM playbooks.work_queue_id
      WHERE queued.playbook_id <> ALL (CAST(:resting AS bigint[]))
    ), first AS (
      SELECT run.*, roomy.work_pool, roomy.asks, roomy.room, row_number() OVER (
        PARTITION BY roomy.work_queue_id ORDER BY run.queue_time, run.id
      ) AS place
      FROM roomy CROSS JOIN LATERAL (
        SELECT id, queue_time, dispatch_time IS NOT NULL AS again FROM playbook_runs
        WHERE {not_dispatched}
          AND playbook_id = roomy.playbook_id
          AND (dispatch_time IS NULL
               OR dispatch_time < now() - make_interval(secs => :takeover))
        ORDER BY queue_time, id LIMIT greatest(0, least(roomy.room, :limit))
      ) AS run
    ), next AS (
      SELECT * FROM first WHERE place <= room ORDER BY queue_time, id LIMIT :limit
    ), free AS (
      SELECT id FROM playbook_runs
      WHERE id = ANY (ARRAY(SELECT id FROM next)) AND end_time IS NULL AND claim_time IS NULL
      FOR UPDATE SKIP LOCKED
    ), taken AS (
      UPDATE playbook_runs SET dispatch_time = now() WHERE id = ANY (ARRAY(SELECT id FROM free))
      RETURNING id, playbook_id, container_id, dispatch_key, request_id, traceparent
    )
    SELECT taken.*, containers.name, containers.label, next.again, next.work_pool, next.asks
    FROM taken JOIN next USING (id) JOIN containers ON containers.id = taken.container_id
    ORDER BY next.queue_time, taken.id
    """
).bindparams(bindparam("limit", type_=Integer), bindparam("window", type_=Integer))


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
