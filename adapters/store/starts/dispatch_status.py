"""Why runs wait: what Prefect last said of the work pool, and how many runs stand before one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Float, Integer, bindparam, func, tuple_
from sqlalchemy.dialects.postgresql import insert

from prefect_phantom.adapters.errors import NotFound
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.playbooks.workers import OFFLINE_SECONDS
from prefect_phantom.adapters.store.tables.run_states import run_statement
from prefect_phantom.adapters.store.tables.tables import dispatch_status as statuses

MOST_AHEAD = 1000
"""How many runs that stand before one in the queue are counted, so that reading one stays cheap."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a run that has not started waits for. `workers` is None as long as it is not known."""

    work_pool: str
    """That of the run's playbook."""
    rule: str
    """Of Prefect's, by which nothing of the run's work queue may start now; empty for none."""
    queued: bool
    ahead: int
    busy: int
    workers: int | None
    slots: int | None
    unreachable_time: datetime | None
    having: list[str]
    """Workers that have the code of its playbook as the report that holds."""
    lacking: list[str]
    """Workers that have other code of it."""


# The order has PostgreSQL walk the queue's index from the run on; any 1000 rows would do, and for a
# run near the front it would look for them in the whole table.
_READ = Prepared(
    run_statement(
        """
        SELECT coalesce(queue.work_pool, :work_pool) AS work_pool,
          coalesce(queue.rule, '') AS rule,
          run.dispatch_time IS NULL AS queued,
          (SELECT count(*) FROM (
            SELECT playbook_id FROM playbook_runs
            WHERE {queued}
              AND dispatch_time IS NULL AND run.dispatch_time IS NULL
              AND (queue_time, id) < (run.queue_time, run.id)
            ORDER BY queue_time DESC, id DESC
            LIMIT :most_ahead
          ) AS before JOIN playbooks ON playbooks.id = before.playbook_id
          WHERE playbooks.work_queue_id IS NOT DISTINCT FROM playbook.work_queue_id)
          + (SELECT count(*) FROM playbook_runs JOIN playbooks ON playbooks.id = playbook_id
             WHERE playbooks.work_queue_id IS NOT DISTINCT FROM playbook.work_queue_id
               AND {waiting}
               AND (dispatch_time, playbook_runs.id)
                   < (coalesce(run.dispatch_time, 'infinity'), run.id)) AS ahead,
          (SELECT count(*) FROM playbook_runs
           WHERE {held}) AS busy,
          least(
            status.slots,
            (SELECT sum(slots) FROM workers
             WHERE workers.work_pool = coalesce(queue.work_pool, :work_pool)
               AND seen_time >= now() - make_interval(secs => :offline_seconds))
          ) AS slots,
          status.workers, status.unreachable_time,
          coalesce(code.having, '{}') AS having, coalesce(code.lacking, '{}') AS lacking
        FROM playbook_runs AS run
        JOIN playbooks AS playbook ON playbook.id = run.playbook_id
        LEFT JOIN work_queues AS queue ON queue.id = playbook.work_queue_id
        LEFT JOIN dispatch_status AS status
          ON status.work_pool = coalesce(queue.work_pool, :work_pool)
        LEFT JOIN LATERAL (
          SELECT array_agg(worker) FILTER (WHERE has_it) AS having,
            array_agg(worker) FILTER (WHERE NOT has_it) AS lacking
          FROM (
            SELECT report.worker, EXISTS (
              SELECT FROM reported_playbooks AS reported
              WHERE reported.worker = report.worker
                AND (reported.repository, reported.name, reported.entrypoint, reported.digest)
                  = (playbook.repository, playbook.name, playbook.entrypoint, playbook.digest)
                AND reported.folder IS NOT DISTINCT FROM playbook.folder
            ) AS has_it
            FROM playbook_reports AS report
            WHERE playbook.digest <> '' AND playbook.error = '' AND report.digest <> '' AND (
              report.lasting OR report.seen_time >= now() - make_interval(secs => :offline_seconds)
            )
            ORDER BY report.worker
          ) AS told
        ) AS code ON true
        WHERE run.id = :playbook_run_id
        """
    ).bindparams(
        bindparam("playbook_run_id"),
        bindparam("work_pool"),
        bindparam("most_ahead", MOST_AHEAD, type_=Integer),
        bindparam("offline_seconds", OFFLINE_SECONDS, type_=Float),
    )
)


async def read_waiting(database: Database, playbook_run_id: int, work_pool: str) -> Waiting:
    """What a run that has not started waits for, by one statement on indexes.

    `work_pool` is taken for its own while that is not known.

    Raises `NotFound`.
    """
    row = await database.fetch(_READ, playbook_run_id=playbook_run_id, work_pool=work_pool)
    if row is None:
        raise NotFound("Playbook run", playbook_run_id)
    return Waiting(**row)


async def note_reached(
    database: Database, work_pool: str, *, workers: int, slots: int | None
) -> None:
    """Prefect has answered, and said this of the work pool."""
    said = {"workers": workers, "slots": slots, "unreachable_time": None}
    known = tuple_(*(statuses.c[name] for name in said))
    new = insert(statuses).values(work_pool=work_pool, **said)
    async with database.begin() as connection:
        await connection.execute(
            new.on_conflict_do_update(
                index_elements=[statuses.c.work_pool],
                set_=said,
                where=known.is_distinct_from(tuple_(*(new.excluded[name] for name in said))),
            )
        )


async def note_unreachable(database: Database, work_pool: str) -> None:
    """Prefect does not answer; what counts is since when."""
    new = insert(statuses).values(work_pool=work_pool, unreachable_time=func.now())
    async with database.begin() as connection:
        await connection.execute(
            new.on_conflict_do_update(
                index_elements=[statuses.c.work_pool],
                set_={"unreachable_time": func.now()},
                where=statuses.c.unreachable_time.is_(None),
            )
        )
