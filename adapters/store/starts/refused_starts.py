"""Runs of playbooks whose code is not there: each has a row that ends failed, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks.playbooks import LASTING
from prefect_phantom.adapters.store.runs.playbook_runs import finish
from prefect_phantom.adapters.store.starts.run_requests import RunRequest, insert_refused
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks


@dataclass(frozen=True, slots=True)
class RefusedStart:
    """A playbook that cannot be started, for the reason `error`, and since when."""

    id: int
    deployment_id: UUID | None
    error: str
    since: datetime


async def read_playbooks(database: Database) -> list[RefusedStart]:
    """The playbooks that have been broken or gone for longer than a file takes to be replaced."""
    # Not the time of its last report: what was started before that one waits for the same reason.
    since = func.coalesce(
        func.least(playbooks.c.gone_time, playbooks.c.broken_time), playbooks.c.update_time
    )
    query = select(playbooks.c.id, playbooks.c.deployment_id, playbooks.c.error, since).where(
        LASTING
    )
    async with database.read() as connection:
        return [RefusedStart(*row) for row in await connection.execute(query)]


async def end_waiting(database: Database, playbook_ids: Sequence[int]) -> list[int]:
    """End the runs that stand in Prefect and have not begun; returns their ids."""
    query = (
        select(runs.c.id, playbooks.c.error)
        .join(playbooks, playbooks.c.id == runs.c.playbook_id)
        .where(
            ~runs.c.settled,
            runs.c.status == "running",
            runs.c.claim_time.is_(None),
            runs.c.cancel_time.is_(None),
            runs.c.flow_run_id.is_not(None),
            runs.c.playbook_id.in_(playbook_ids),
        )
        .order_by(runs.c.id)
        .with_for_update(of=runs)
    )
    async with database.begin() as connection:
        waiting = (await connection.execute(query)).all()
        for row in waiting:
            await finish(connection, row.id, "failed", row.error)
    return [row.id for row in waiting]


async def known(database: Database, flow_run_ids: Collection[UUID]) -> set[UUID]:
    """Those of the flow runs that have a row."""
    wanted = any_(literal(list(flow_run_ids), ARRAY(Uuid)))
    async with database.read() as connection:
        query = select(runs.c.flow_run_id).where(runs.c.flow_run_id == wanted)
        return set((await connection.execute(query)).scalars())


async def record(
    database: Database, playbook: RefusedStart, flow_run_id: UUID, parameters: Mapping[str, Any]
) -> int | None:
    """Make the row of a flow run that began in Prefect, and end it; returns the run's id.

    None where there can be no row: its parameters name no container that there is.
    """
    container_id = parameters.get("container_id")
    scope, inputs = parameters.get("scope", "all"), parameters.get("inputs")
    if isinstance(container_id, bool) or not isinstance(container_id, int):
        return None
    request = RunRequest(
        container_id=container_id,
        playbook=playbook.id,
        scope=scope if scope in ("all", "new") else "all",
        inputs=inputs if isinstance(inputs, dict) else None,
    )
    async with database.begin() as connection:
        run_id = await insert_refused(connection, request, flow_run_id)
        if run_id is not None:
            await finish(connection, run_id, "failed", playbook.error)
        return run_id
