"""Playbook runs as callers see them: read, ask for a cancel; and how a run ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import AlreadyFinished, NotFound
from prefect_phantom.adapters.store.accounts.served_request import about
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.measures import count_end
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.runs.action_results import result_so_far
from prefect_phantom.adapters.store.runs.run_log import note_failure
from prefect_phantom.adapters.store.tables.tables import action_runs, app_runs, playbooks
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

UNFINISHED_ACTION = "The run ended before the action did"


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """A run as it stands.

    `result` is the JSON text that PostgreSQL made of its actions where the run was read alone:
    callers ask again and again for a run that has ended, and nothing of it needs to be read again.
    """

    id: int
    playbook_id: int
    playbook: str
    container_id: int
    owner_id: int | None
    effective_user_id: int | None
    parent_run_id: int | None
    scope: str
    scope_artifact_ids: list[int] | None
    last_artifact: int
    log_level: int
    test_mode: bool
    version: int
    status: str
    message: str
    result: list[dict[str, Any]] | str
    cancelled: str
    start_time: datetime
    update_time: datetime
    inputs: dict[str, Any] | None
    outputs: list[str] | None
    ip_address: str | None
    flow_run_id: UUID | None
    worker: str | None
    hostname: str | None
    process_id: int | None
    request_id: str | None

    def actions(self) -> list[dict[str, Any]]:
        """The ended action runs in the contract's form."""
        if isinstance(self.result, str):
            actions: list[dict[str, Any]] = loads(self.result)
            return actions
        return self.result

    @property
    def waits(self) -> bool:
        """It has not started yet."""
        return self.status == "running" and self.process_id is None


NAMES = [name for name in PlaybookRun.__dataclass_fields__ if name not in {"playbook", "result"}]
"""The columns of a `PlaybookRun`; the other two are made of several tables."""


def result(row: FromClause) -> ColumnElement[Any]:
    """What a run's actions did. `row` is ``playbook_runs``, or goes by that name."""
    return case((row.c.end_time.is_(None), result_so_far()), else_=row.c.result)


# Looked up for each run. A join is planned for many of them, and reads all playbooks for one.
_playbook = (
    select(playbooks.c.repository + "/" + playbooks.c.name)
    .where(playbooks.c.id == runs.c.playbook_id)
    .scalar_subquery()
)
_READ = Prepared(
    select(
        *(runs.c[name] for name in NAMES),
        _playbook.label("playbook"),
        cast(result(runs), Text).label("result"),
    ).where(runs.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
)


async def read(database: Database, playbook_run_id: int) -> PlaybookRun:
    """Read a run by one indexed statement.

    Raises:
        NotFound: no run has this id.
    """
    if not 0 < playbook_run_id <= LARGEST_ID:
        raise NotFound("Playbook run", playbook_run_id)
    row = await database.gather(_READ, playbook_run_id)
    if row is None:
        raise NotFound("Playbook run", playbook_run_id)
    return PlaybookRun(**row)


async def request_cancel(
    database: Database, playbook_run_id: int, *, user_id: int | None, text: str
) -> UUID | None:
    """Make a cancel durable. A queued run ends at once; any other when its process is gone.

    Asking again while the cancel is under way changes nothing. `text` is what `cancelled` says.
    Returns the flow run whose process is to be stopped, if there can be one.

    Raises:
        NotFound: no run has this id.
        AlreadyFinished: the run has ended.
    """
    if not 0 < playbook_run_id <= LARGEST_ID:
        raise NotFound("Playbook run", playbook_run_id)
    async with database.begin() as connection:
        query = select(
            runs.c.status,
            runs.c.cancelled,
            runs.c.cancel_time,
            runs.c.dispatch_time,
            runs.c.flow_run_id,
        ).where(runs.c.id == playbook_run_id)
        row = (await connection.execute(query.with_for_update())).one_or_none()
        if row is None:
            raise NotFound("Playbook run", playbook_run_id)
        if row.status != "running":
            raise AlreadyFinished(playbook_run_id, row.status, row.cancelled)
        flow_run_id: UUID | None = row.flow_run_id
        about(playbook_run_id)
        if row.cancel_time is not None:
            return flow_run_id
        await mark_cancelled(connection, playbook_run_id, user_id=user_id, text=text)
        if row.dispatch_time is None:
            await finish(connection, playbook_run_id, "failed", text, settled=True)
    return flow_run_id


async def open_runs(database: Database, playbook_id: int) -> list[int]:
    """The ids of a playbook's runs that have not ended, in their order."""
    # Of a playbook with a million ended runs, by the index of those few that are not settled.
    still_open = (~runs.c.settled, runs.c.status == "running")
    query = select(runs.c.id).where(runs.c.playbook_id == playbook_id, *still_open)
    async with database.read() as connection:
        return list(await connection.scalars(query.order_by(runs.c.id)))


async def mark_cancelled(
    connection: AsyncConnection, playbook_run_id: int, *, user_id: int | None, text: str
) -> None:
    """Note that an open run is being cancelled; from now on its attempt is refused everything."""
    await connection.execute(
        update(runs)
        .where(runs.c.id == playbook_run_id, runs.c.end_time.is_(None))
        .values(
            cancelled=text,
            cancel_time=func.now(),
            cancelled_by_id=user_id,
            update_time=func.now(),
        )
    )


async def finish(
    connection: AsyncConnection,
    playbook_run_id: int,
    status: Literal["success", "failed"],
    message: str,
    *,
    settled: bool = False,
    process_gone: bool = False,
    noted: bool = False,
    outputs: str | None = None,
) -> bool:
    """End a run. Returns whether it was still open; a run that has ended stays as it is.

    Actions that were under way are closed as failed. `settled` says that Prefect needs no word;
    `process_gone` that nobody holds the run any more, so that nobody but us will tell Prefect;
    `noted` that the log has the reason already. `outputs` is JSON text of what the
    playbook gave back.
    """
    query = select(runs.c.cancelled).where(runs.c.id == playbook_run_id, runs.c.end_time.is_(None))
    row = (await connection.execute(query.with_for_update())).one_or_none()
    if row is None:
        return False
    await close_actions(connection, playbook_run_id)
    if status == "failed" and not row.cancelled and not noted:
        await note_failure(connection, playbook_run_id, message)
    await connection.execute(
        update(runs)
        .where(runs.c.id == playbook_run_id)
        .values(
            **ending(status, message),
            result=result_so_far(),
            settled=settled,
            **({"claim_id": None} if process_gone else {}),
            # A list of JSON texts, as published playbooks read it.
            **({} if outputs is None else {"outputs": [outputs]}),
        )
    )
    count_end(status, row.cancelled)
    return True


async def close_actions(connection: AsyncConnection, playbook_run_id: int) -> None:
    """End the actions of a run that were under way, since their process is gone."""
    for table, end in ((app_runs, "end_time"), (action_runs, "close_time")):
        await connection.execute(
            update(table)
            .where(table.c.playbook_run_id == playbook_run_id, table.c.status == "running")
            .values({"status": "failed", "message": UNFINISHED_ACTION, end: func.now()})
        )


def ending(status: Literal["success", "failed"], message: str) -> dict[str, Any]:
    """What every end of a run writes into its row."""
    return {
        "status": status,
        "message": message,
        "end_time": func.now(),
        "update_time": func.now(),
    }
