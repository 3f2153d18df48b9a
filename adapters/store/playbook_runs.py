"""Playbook runs as callers see them: accept, read, ask for a cancel; and how a run ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, any_, case, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.errors import AlreadyFinished, ContainerNotFound, Invalid, PlaybookRunNotFound
from adapters.store.action_results import result_so_far
from adapters.store.database import Database
from adapters.store.playbooks import find
from adapters.store.tables import action_runs, app_runs, artifacts, containers, playbooks
from adapters.store.tables import playbook_runs as runs

LARGEST_ID = 2**63 - 1
UNFINISHED_ACTION = "The run ended before the action did"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request to run a playbook, checked in form but not yet against what is stored."""

    container_id: int
    playbook: int | str
    scope: str | list[int]
    inputs: dict[str, Any] | None = None
    owner_id: int | None = None
    ip_address: str | None = None


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """A run as it stands. `result` holds the ended action runs in the contract's form."""

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
    result: list[dict[str, Any]]
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


async def accept(database: Database, request: RunRequest, *, repositories: Sequence[str]) -> int:
    """Store a run that will be carried out, and return its id. Durable when this returns.

    Raises:
        ContainerNotFound, PlaybookNotFound: the named thing does not exist.
        Invalid: an artifact of the scope is not in the container, or the playbook is disabled.
    """
    async with database.begin() as connection:
        return await insert_run(connection, request, repositories=repositories)


async def insert_run(
    connection: AsyncConnection,
    request: RunRequest,
    *,
    repositories: Sequence[str],
    flow_run_id: UUID | None = None,
) -> int:
    """`accept` inside a transaction; `flow_run_id` is given for a run that began in Prefect."""
    # The container's row is locked here and wherever artifacts are added, so that none can slip
    # under the mark: ids are given out before their rows are committed.
    container = select(containers.c.id).where(containers.c.id == request.container_id)
    if (
        not 0 < request.container_id <= LARGEST_ID
        or not (await connection.execute(container.with_for_update(key_share=True))).one_or_none()
    ):
        raise ContainerNotFound(request.container_id)
    playbook = await find(connection, request.playbook, repositories=repositories)
    if playbook.disabled:
        message = f"Playbook {playbook.repository}/{playbook.name} is disabled"
        raise Invalid(message)
    in_container = artifacts.c.container_id == request.container_id
    last = (await connection.execute(select(func.max(artifacts.c.id)).where(in_container))).scalar()
    after = 0
    if isinstance(request.scope, list):
        await _check_artifacts(connection, request.container_id, request.scope)
    elif request.scope == "new":
        mark = (
            select(runs.c.last_artifact)
            .where(
                runs.c.container_id == request.container_id,
                runs.c.playbook_id == playbook.id,
                runs.c.scope.in_(("all", "new")),
            )
            .order_by(runs.c.id.desc())
            .limit(1)
        )
        after = (await connection.execute(mark)).scalar() or 0
    row = insert(runs).values(
        playbook_id=playbook.id,
        container_id=request.container_id,
        owner_id=request.owner_id,
        effective_user_id=request.owner_id,
        scope="artifacts" if isinstance(request.scope, list) else request.scope,
        scope_artifact_ids=request.scope if isinstance(request.scope, list) else None,
        after_artifact=after,
        last_artifact=last or 0,
        inputs=request.inputs,
        ip_address=request.ip_address,
        flow_run_id=flow_run_id,
        dispatch_time=func.now() if flow_run_id else None,
    )
    return int((await connection.execute(row.returning(runs.c.id))).scalar_one())


async def read(database: Database, playbook_run_id: int) -> PlaybookRun:
    """Read a run by one indexed statement.

    Raises:
        PlaybookRunNotFound: no run has this id.
    """
    if not 0 < playbook_run_id <= LARGEST_ID:
        raise PlaybookRunNotFound(playbook_run_id)
    names = [
        name for name in PlaybookRun.__dataclass_fields__ if name not in {"playbook", "result"}
    ]
    result = case((runs.c.end_time.is_(None), result_so_far()), else_=runs.c.result)
    query = (
        select(
            *(runs.c[name] for name in names),
            (playbooks.c.repository + "/" + playbooks.c.name).label("playbook"),
            result.label("result"),
        )
        .join(playbooks, playbooks.c.id == runs.c.playbook_id)
        .where(runs.c.id == playbook_run_id)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise PlaybookRunNotFound(playbook_run_id)
    return PlaybookRun(**row)


async def request_cancel(
    database: Database, playbook_run_id: int, *, user_id: int | None, text: str
) -> None:
    """Make a cancel durable. A queued run ends at once; any other when its process is gone.

    Asking again while the cancel is under way changes nothing. `text` is what `cancelled` says.

    Raises:
        PlaybookRunNotFound: no run has this id.
        AlreadyFinished: the run has ended.
    """
    if not 0 < playbook_run_id <= LARGEST_ID:
        raise PlaybookRunNotFound(playbook_run_id)
    async with database.begin() as connection:
        query = select(
            runs.c.status, runs.c.cancelled, runs.c.cancel_time, runs.c.dispatch_time
        ).where(runs.c.id == playbook_run_id)
        row = (await connection.execute(query.with_for_update())).one_or_none()
        if row is None:
            raise PlaybookRunNotFound(playbook_run_id)
        if row.status != "running":
            raise AlreadyFinished(playbook_run_id, row.status, row.cancelled)
        if row.cancel_time is not None:
            return
        await mark_cancelled(connection, playbook_run_id, user_id=user_id, text=text)
        if row.dispatch_time is None:
            await finish(connection, playbook_run_id, "failed", text, settled=True)


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
) -> bool:
    """End a run. Returns whether it was still open; a run that has ended stays as it is.

    Actions that were under way are closed as failed. `settled` says that Prefect needs no word;
    `process_gone` that nobody holds the run any more, so that nobody but us will tell Prefect.
    """
    query = select(runs.c.id).where(runs.c.id == playbook_run_id, runs.c.end_time.is_(None))
    if (await connection.execute(query.with_for_update())).one_or_none() is None:
        return False
    for table, end in ((app_runs, "end_time"), (action_runs, "close_time")):
        await connection.execute(
            update(table)
            .where(table.c.playbook_run_id == playbook_run_id, table.c.status == "running")
            .values({"status": "failed", "message": UNFINISHED_ACTION, end: func.now()})
        )
    await connection.execute(
        update(runs)
        .where(runs.c.id == playbook_run_id)
        .values(
            status=status,
            message=message,
            result=result_so_far(),
            end_time=func.now(),
            update_time=func.now(),
            settled=settled,
            **({"claim_id": None} if process_gone else {}),
        )
    )
    return True


async def _check_artifacts(connection: AsyncConnection, container_id: int, ids: list[int]) -> None:
    storable = [artifact_id for artifact_id in ids if 0 < artifact_id <= LARGEST_ID]
    query = select(artifacts.c.id).where(
        artifacts.c.container_id == container_id,
        # One array, since a parameter for each id would meet PostgreSQL's limit of 32,767.
        artifacts.c.id == any_(literal(storable, ARRAY(BigInteger))),
    )
    known = set((await connection.execute(query)).scalars())
    unknown = [artifact_id for artifact_id in ids if artifact_id not in known]
    if unknown:
        message = (
            f"scope names artifact {unknown[0]}, which is not in container {container_id}; "
            'accepted are "all", "new" or a list of ids of its artifacts'
        )
        raise Invalid(message)
