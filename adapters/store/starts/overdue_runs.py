"""Runs that waited for too long: nothing has started them, and nobody had paused their queue."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Integer, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs.playbook_runs import finish
from prefect_phantom.adapters.store.starts.dispatch_queue import IN_ORDER
from prefect_phantom.adapters.store.tables.run_states import run_statement
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

BATCH = 1000


async def end_overdue(database: Database, *, hours: float) -> list[int]:
    """End runs failed that nothing has started for `hours`; return their ids.

    The time in which their work queue was paused does not count.
    """
    ended: list[int] = []
    while some := await _end_some(database, hours):
        ended += some
    return ended


async def _end_some(database: Database, hours: float) -> list[int]:
    async with database.begin() as connection:
        await connection.execute(text(f"SELECT {IN_ORDER}"))
        values = {"seconds": hours * 3600, "batch": BATCH}
        overdue = list((await connection.execute(_OVERDUE, values)).scalars())
        # What was claimed meanwhile goes on.
        unclaimed = list((await connection.execute(_UNCLAIMED, {"ids": overdue})).scalars())
        for playbook_run_id in unclaimed:
            reason = f"No worker took the run within {hours:g} hours"
            await finish(connection, playbook_run_id, "failed", reason)
        return unclaimed


# The playbooks of paused queues are passed over as a whole: their runs may be a million. Of each of
# the others the oldest are looked at, in the order of an index; a later one has waited no longer. A
# pause counts while the playbook was in its queue; what stands in Prefect stays in the one it had.
_OVERDUE = run_statement(
    """
    WITH stays AS (
      SELECT playbook_id, work_queue_id, end_time,
        lag(end_time) OVER (PARTITION BY playbook_id ORDER BY end_time) AS begin_time
      FROM (
        SELECT playbook_id, work_queue_id, end_time FROM former_work_queues
        UNION ALL SELECT id, work_queue_id, now() FROM playbooks
      ) AS stay
    ), running AS (
      SELECT id, work_queue_id FROM playbooks
      WHERE NOT EXISTS (
        SELECT FROM work_queues WHERE work_queues.id = playbooks.work_queue_id AND paused
      )
    ), waiting AS (
      SELECT run.id, run.since, running.id AS playbook_id,
        CAST(NULL AS timestamptz) AS dispatch_time
      FROM running CROSS JOIN LATERAL (
        SELECT id, greatest(queue_time, update_time) AS since FROM playbook_runs
        WHERE {not_dispatched}
          AND playbook_id = running.id
          AND queue_time < now() - make_interval(secs => :seconds)
        ORDER BY queue_time, id LIMIT :batch
      ) AS run
      UNION ALL
      SELECT run.id, greatest(queue_time, update_time), running.id, dispatch_time
      FROM playbook_runs AS run JOIN running ON running.id = run.playbook_id
      WHERE {waiting}
        AND flow_run_id IS NOT NULL
    )
    SELECT id FROM waiting
    WHERE since < now() - make_interval(secs => :seconds)
      AND extract(epoch FROM now() - since) - coalesce((
        SELECT extract(epoch FROM sum(paused.end_time - paused.begin_time))
        FROM (
          SELECT greatest(pause.begin_time, stay.begin_time, waiting.since) AS begin_time,
            least(coalesce(pause.end_time, now()), CASE
              WHEN stay.end_time > waiting.dispatch_time THEN now() ELSE stay.end_time
            END) AS end_time
          FROM stays AS stay JOIN work_queue_pauses AS pause USING (work_queue_id)
          WHERE stay.playbook_id = waiting.playbook_id
            AND coalesce(stay.begin_time <= waiting.dispatch_time, true)
        ) AS paused
        WHERE paused.end_time > paused.begin_time
      ), 0) > :seconds
    ORDER BY id LIMIT :batch
    """
).bindparams(bindparam("batch", type_=Integer), bindparam("seconds", type_=Float))
_UNCLAIMED = (
    select(runs.c.id)
    .where(
        runs.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))),
        runs.c.status == "running",
        runs.c.claim_time.is_(None),
    )
    .order_by(runs.c.id)
    .with_for_update()
)
