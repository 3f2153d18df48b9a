"""Prefect's work queues: what may start of each now, and when it was paused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import (
    Uuid,
    all_,
    any_,
    bindparam,
    column,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.tables.queue_tables import former_work_queues as former
from prefect_phantom.adapters.store.tables.queue_tables import work_queue_pauses as pauses
from prefect_phantom.adapters.store.tables.queue_tables import work_queues as queues
from prefect_phantom.adapters.store.tables.run_states import run_statement
from prefect_phantom.adapters.store.tables.tables import playbooks


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """What may start of a work queue now."""

    id: UUID
    work_pool: str
    name: str
    rule: str = ""
    """Why nothing may, in a sentence; empty when something may."""
    room: int | None = None
    """How many more runs may start; None for any number."""
    asks: bool = False
    """Prefect is to be asked for each start, since it has rules that only it applies."""
    paused: bool = False
    """Nothing may, because somebody wants it so and not because others are at work."""


async def read_all(database: Database) -> list[WorkQueue]:
    """What was last noted."""
    async with database.read() as connection:
        rows = await connection.execute(select(queues))
        return [WorkQueue(**row) for row in rows.mappings()]


async def note(database: Database, said: Collection[WorkQueue]) -> None:
    """Keep what Prefect says of all its work queues; one that it does not name is gone."""
    known = await read_all(database)
    if set(known) == set(said):
        return
    ids = literal([queue.id for queue in said], ARRAY(Uuid))
    paused = [queue.id for queue in said if queue.paused]
    async with database.begin() as connection:
        await connection.execute(delete(queues).where(queues.c.id != all_(ids)))
        for queue in set(said) - set(known):
            values = asdict(queue)
            new = insert(queues).values(values)
            await connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))
        is_paused = pauses.c.work_queue_id == any_(literal(paused, ARRAY(Uuid)))
        await connection.execute(
            update(pauses)
            .where(pauses.c.end_time.is_(None), ~is_paused)
            .values(end_time=func.now())
        )
        for queue_id in paused:
            begin = insert(pauses).values(work_queue_id=queue_id)
            await connection.execute(begin.on_conflict_do_nothing())


_given = (
    func.unnest(
        bindparam("deployment_ids", type_=ARRAY(Uuid)), bindparam("queue_ids", type_=ARRAY(Uuid))
    )
    .table_valued(column("deployment_id", Uuid), column("queue_id", Uuid))
    .render_derived(name="given")
)
_MOVED = (
    playbooks.c.deployment_id == _given.c.deployment_id,
    playbooks.c.work_queue_id.is_distinct_from(_given.c.queue_id),
)
_NOTE_DEPLOYMENTS = update(playbooks).where(*_MOVED).values(work_queue_id=_given.c.queue_id)
_moving = (
    select(playbooks.c.id, playbooks.c.work_queue_id)
    .where(*_MOVED, playbooks.c.work_queue_id.is_not(None))
    .with_for_update(of=playbooks, key_share=True)
)
_NOTE_FORMER = insert(former).from_select(["playbook_id", "work_queue_id"], _moving)


async def note_deployments(database: Database, queue_ids: Mapping[UUID, UUID | None]) -> bool:
    """Keep the work queues of playbooks by deployment; whether one has changed."""
    values = {"deployment_ids": list(queue_ids), "queue_ids": list(queue_ids.values())}
    async with database.begin() as connection:
        await connection.execute(_NOTE_FORMER, values)
        return (await connection.execute(_NOTE_DEPLOYMENTS, values)).rowcount > 0


async def forget_old(database: Database) -> None:
    """Forget pauses, and former queues of playbooks, that no run has waited through."""
    async with database.begin() as connection:
        oldest = await connection.scalar(_OLDEST_WAITING)
        for table in (pauses, former):
            await connection.execute(delete(table).where(table.c.end_time < oldest))


async def read_deployments(database: Database) -> dict[UUID, UUID | None]:
    """The deployment of each playbook, and the work queue that is known of it."""
    query = select(playbooks.c.deployment_id, playbooks.c.work_queue_id).where(
        playbooks.c.deployment_id.is_not(None)
    )
    async with database.read() as connection:
        return dict((await connection.execute(query)).tuples().all())


async def runs_wait(database: Database) -> bool:
    """Whether any run has not started, here or in Prefect."""
    async with database.read() as connection:
        return bool(await connection.scalar(_RUNS_WAIT))


async def limit_counts(database: Database) -> bool:
    """Whether a run is queued here that would be taken if there still is as much room as noted."""
    async with database.read() as connection:
        return bool(await connection.scalar(_LIMIT_COUNTS))


_OLDEST_WAITING = text(
    """
    SELECT coalesce((
      SELECT start_time FROM playbook_runs
      WHERE NOT settled AND status = 'running' AND claim_time IS NULL
      ORDER BY id LIMIT 1
    ), now())
    """
)
_RUNS_WAIT = run_statement(
    """
    SELECT EXISTS (
      SELECT FROM playbook_runs
      WHERE {queued}
    ) OR EXISTS (
      SELECT FROM playbook_runs
      WHERE {waiting}
    )
    """
)
_LIMIT_COUNTS = run_statement(
    """
    SELECT EXISTS (
      SELECT FROM playbooks JOIN work_queues ON work_queues.id = playbooks.work_queue_id
      WHERE work_queues.room > (
        SELECT count(*) FROM playbook_runs JOIN playbooks AS others ON others.id = playbook_id
        WHERE {waiting}
          AND others.work_queue_id = work_queues.id
      ) AND EXISTS (
        SELECT FROM playbook_runs
        WHERE playbook_id = playbooks.id
          AND {not_dispatched}
      )
    )
    """
)
