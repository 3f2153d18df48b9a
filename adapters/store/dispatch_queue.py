"""The queue: accepted runs on their way into Prefect, first come first served."""

from __future__ import annotations

from collections.abc import Sequence
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


async def take(database: Database, *, window: int) -> list[QueuedRun]:
    """Take the next runs, each for one dispatcher only, up to `window` not started in Prefect.

    The rest wait here: a long backlog in Prefect would starve every other run there.
    """
    query = text(
        """
        WITH standing AS (
          SELECT count(*) AS runs FROM playbook_runs
          WHERE status = 'running' AND claim_time IS NULL AND dispatch_time IS NOT NULL
            AND (flow_run_id IS NOT NULL
                 OR dispatch_time >= now() - make_interval(secs => :takeover))
        ), next AS (
          SELECT id FROM playbook_runs
          WHERE status = 'running' AND claim_time IS NULL AND flow_run_id IS NULL
            AND (dispatch_time IS NULL
                 OR dispatch_time < now() - make_interval(secs => :takeover))
          ORDER BY dispatch_time NULLS LAST, id
          LIMIT least(:batch, greatest(0, :window - (SELECT runs FROM standing)))
          FOR UPDATE SKIP LOCKED
        )
        UPDATE playbook_runs SET dispatch_time = now() FROM next
        WHERE playbook_runs.id = next.id
        RETURNING playbook_runs.id, playbook_id, container_id, dispatch_key
        """
    )
    values = {"batch": BATCH, "window": window, "takeover": TAKEOVER_SECONDS}
    async with database.begin() as connection:
        rows = await connection.execute(query, values)
        return sorted((QueuedRun(*row) for row in rows), key=lambda run: run.id)


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
    """End runs failed that nothing has started for `hours`; return their ids."""
    query = text(
        "SELECT id FROM playbook_runs WHERE status = 'running' AND claim_time IS NULL"
        " AND start_time < now() - make_interval(secs => :seconds) ORDER BY id FOR UPDATE"
    )
    reason = f"No worker took the run within {hours:g} hours"
    async with database.begin() as connection:
        overdue = list((await connection.execute(query, {"seconds": hours * 3600})).scalars())
        for playbook_run_id in overdue:
            await finish(connection, playbook_run_id, "failed", reason)
        return overdue
