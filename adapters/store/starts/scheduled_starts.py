"""A playbook on every container with a label: the runs that one flow run of a schedule starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Interval,
    Text,
    any_,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import PlaybookDisabled, TooManyContainers
from prefect_phantom.adapters.store.accounts.served_request import note_each, was_noted
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.measures import RUNS_ACCEPTED
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.starts import inputs
from prefect_phantom.adapters.store.starts.scope_marks import mark, newest_artifact
from prefect_phantom.adapters.store.tables.automation_tables import scheduled_starts
from prefect_phantom.adapters.store.tables.tables import containers
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

MOST_CONTAINERS = 10_000
"""At once: all of them are held until their runs are stored."""
KEPT_FOR = timedelta(days=30)
"""A flow run that is retried in Prefect later than this starts its runs anew."""


@dataclass(frozen=True, slots=True)
class ScheduledStart:
    """What a flow run asks for: `playbook` on each container with `label` and one of `statuses`."""

    flow_run_id: UUID
    label: str
    playbook: str
    statuses: Sequence[str]
    scope: Literal["all", "new"]
    queue_delay: timedelta = timedelta()


async def start(
    database: Database, request: ScheduledStart, *, repositories: Sequence[str]
) -> list[int]:
    """Store a run for each container in one transaction; returns their ids.

    A flow run that asks again is answered with the runs that it got before.

    Raises:
        NotFound: no playbook is called so.
        PlaybookDisabled: the playbook is disabled.
        TooManyContainers: there are more containers than `MOST_CONTAINERS`.
    """
    async with database.begin() as connection:
        old = scheduled_starts.c.create_time < func.now() - KEPT_FOR
        await connection.execute(delete(scheduled_starts).where(old))
        is_it = scheduled_starts.c.flow_run_id == request.flow_run_id
        claimed = await connection.execute(
            # Whoever asks at the same moment waits here for the other one's runs.
            insert(scheduled_starts)
            .values(flow_run_id=request.flow_run_id)
            .on_conflict_do_nothing()
        )
        if not claimed.rowcount:
            was_noted()
            known = select(scheduled_starts.c.playbook_run_ids).where(is_it)
            return list((await connection.execute(known)).scalar_one())
        playbook = await playbooks.find(connection, request.playbook, repositories=repositories)
        if playbook.disabled:
            raise PlaybookDisabled(f"{playbook.repository}/{playbook.name}")
        inputs.check(f"{playbook.repository}/{playbook.name}", playbook.input_schema, inputs=None)
        chosen = (
            select(containers.c.id)
            .where(containers.c.label == request.label, containers.c.status.in_(request.statuses))
            # In this order by everybody who holds several, so that nobody waits for ever.
            .order_by(containers.c.id)
            .limit(MOST_CONTAINERS + 1)
            .with_for_update(key_share=True)
        )
        ids = list((await connection.execute(chosen)).scalars())
        if len(ids) > MOST_CONTAINERS:
            raise TooManyContainers(MOST_CONTAINERS, request.label, request.statuses)
        made = await _insert(connection, playbook.id, ids, request)
        await note_each(connection, made)
        await connection.execute(
            update(scheduled_starts).where(is_it).values(playbook_run_ids=made)
        )
    RUNS_ACCEPTED.labels("automation").inc(len(made))
    return made


async def _insert(
    connection: AsyncConnection, playbook_id: int, ids: Sequence[int], request: ScheduledStart
) -> list[int]:
    """The runs on the containers `ids`, which are held."""
    new = request.scope == "new"
    columns: dict[str, ColumnElement[Any]] = {
        "playbook_id": literal(playbook_id, BigInteger),
        "container_id": containers.c.id,
        "scope": literal(request.scope, Text),
        "after_artifact": mark(containers.c.id, playbook_id) if new else literal(0, BigInteger),
        "last_artifact": newest_artifact(containers.c.id),
        "queue_time": func.now() + literal(request.queue_delay, Interval),
    }
    source = (
        select(*columns.values())
        # One array, since a parameter for each id would meet PostgreSQL's limit of 32,767.
        .where(containers.c.id == any_(literal(list(ids), ARRAY(BigInteger))))
        .order_by(containers.c.id)
    )
    made = insert(runs).from_select(list(columns), source).returning(runs.c.id)
    return sorted((await connection.execute(made)).scalars())
