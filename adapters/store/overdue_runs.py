"""Runs that waited for too long: nothing has started them, and nobody had paused their queue."""

from __future__ import annotations

from sqlalchemy import BigInteger, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from adapters.store.database import Database
from adapters.store.playbook_runs import finish
from adapters.store.tables import playbook_runs as runs

BATCH = 1000


async def end_overdue(database: Database, *, hours: float) -> list[int]:
    """End runs failed that nothing has started for `hours`; return their ids.

    The time in which their work queue was paused does not count.
    """
    ended: list[int] = []
    after = 0
    while True:
        async with database.begin() as connection:
            values = {"seconds": hours * 3600, "batch": BATCH, "after": after}
            page = (await connection.execute(_OLDEST, values)).all()
            overdue = [row.id for row in page if row.waited > values["seconds"]]
            if overdue:
                # What was claimed meanwhile goes on.
                unclaimed = await connection.execute(_UNCLAIMED, {"ids": overdue})
                for playbook_run_id in unclaimed.scalars():
                    reason = f"No worker took the run within {hours:g} hours"
                    await finish(connection, playbook_run_id, "failed", reason)
                    ended.append(playbook_run_id)
        # Ids rise with the time: the oldest are looked at, not a queue that may be very long.
        if len(page) < BATCH or not page[-1].old:
            return ended
        after = page[-1].id


_OLDEST = text(
    """
    WITH oldest AS (
      SELECT playbook_runs.id, playbook_runs.update_time, playbooks.work_queue_id
      FROM playbook_runs JOIN playbooks ON playbooks.id = playbook_runs.playbook_id
      WHERE NOT settled AND status = 'running' AND claim_time IS NULL
        AND playbook_runs.id > :after
        AND NOT EXISTS (
          SELECT FROM work_queues WHERE work_queues.id = playbooks.work_queue_id AND paused
        )
      ORDER BY playbook_runs.id LIMIT :batch
    )
    SELECT id, update_time < now() - make_interval(secs => :seconds) AS old,
      CAST(extract(epoch FROM now() - update_time) - coalesce((
        SELECT extract(epoch FROM sum(
          coalesce(pauses.end_time, now()) - greatest(pauses.begin_time, oldest.update_time)
        ))
        FROM work_queue_pauses AS pauses
        WHERE pauses.work_queue_id = oldest.work_queue_id
          AND coalesce(pauses.end_time, now()) > oldest.update_time
      ), 0) AS float) AS waited
    FROM oldest ORDER BY id
    """
)
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
