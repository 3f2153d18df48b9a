"""Attempts: a process claims a run, holds it, and is refused everything once it no longer does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    LargeBinary,
    Row,
    Select,
    Text,
    any_,
    bindparam,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.errors import (
    AttemptStale,
    ClaimedTwice,
    NotFound,
    OtherCode,
    OtherFlowRun,
    RunCancelled,
    RunElsewhere,
    RunEnded,
    RunHandedOver,
    RunRemoved,
    RunUnknown,
    Superseded,
)
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.measures import RUNS_ACCEPTED
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.playbooks.playbook_reports import is_lacking
from prefect_phantom.adapters.store.runs import run_log
from prefect_phantom.adapters.store.runs.leases import FROM_NOW
from prefect_phantom.adapters.store.runs.playbook_runs import finish
from prefect_phantom.adapters.store.runs.run_log import Line
from prefect_phantom.adapters.store.runs.unsettled_runs import unsettle
from prefect_phantom.adapters.store.starts.run_requests import RunRequest, insert_run
from prefect_phantom.adapters.store.tables.tables import artifacts, containers, playbooks
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A process asks for the right to carry out a flow run.

    `claim_id` is made by the process, so that asking again after a lost answer is recognised.
    Without `playbook_run_id` the run began in Prefect and gets its row now. `former_id` is the id
    that its flow run's tags show, which they do when it, or one that it is a copy of, has run.
    `copied` says that the flow run of `playbook_run_id` was copied in Prefect, with its parameters.
    """

    claim_id: UUID
    flow_run_id: UUID
    deployment_id: UUID | None
    playbook: str
    playbook_run_id: int | None
    container_id: int
    scope: str | list[int]
    inputs: dict[str, Any] | None
    worker: str | None
    hostname: str
    process_id: int
    process_start: float
    machine: str | None = None
    former_id: int | None = None
    copied: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a run: a fencing number, a token, and the run's data."""

    playbook_run_id: int
    playbook: str
    attempt: int
    token: str
    container: dict[str, Any]
    artifacts: list[dict[str, Any]]
    inputs: dict[str, Any]
    request_id: str | None


@dataclass(frozen=True, slots=True)
class HeldRun:
    """The run that a token of a live attempt belongs to. Its row is locked."""

    id: int
    attempt: int
    container_id: int
    user_id: int | None = None
    """The user on whose behalf it runs; null for a run that began in Prefect."""
    request_id: str | None = None
    traceparent: str | None = None


async def claim(
    database: Database, request: ClaimRequest, *, token: str, repositories: Sequence[str]
) -> Claim:
    """Give the run to the process that asks, if it may have it, and with it the `token`.

    Raises:
        Superseded: the run has ended, is cancelled, is held by another process, or is to be left
            to a worker that has its code.
        OtherFlowRun: the run is another flow run's; this one may be `copied` from that.
        NotReady: the dispatcher has not yet recorded the flow run.
        NotFound, Invalid: a run that began in Prefect cannot be made.
    """
    try:
        async with database.begin() as connection:
            return await _claim(connection, request, token, repositories)
    except Superseded:
        await unsettle(database, [request.flow_run_id])
        raise
    except IntegrityError as error:
        # Two claims of one flow run at the same moment; the other one made the row.
        raise ClaimedTwice from error


async def _claim(
    connection: AsyncConnection, request: ClaimRequest, token: str, repositories: Sequence[str]
) -> Claim:
    row = await _lock(connection, request)
    if row is None:
        run_id = await _insert(connection, request, repositories)
        row = (await connection.execute(_run(request).where(runs.c.id == run_id))).one()
    if row.end_time is not None:
        raise RunEnded(row.id)
    if row.cancel_time is not None:
        raise RunCancelled(row.id)
    if row.claim_id not in {None, request.claim_id}:
        raise RunElsewhere(row.id)
    if row.is_lacking and row.deployment_id == request.deployment_id:
        raise OtherCode(request.worker, row.playbook)
    attempt = row.attempt if row.claim_id == request.claim_id else row.attempt + 1
    await connection.execute(
        update(runs)
        .where(runs.c.id == row.id)
        .values(
            claim_id=request.claim_id,
            attempt=attempt,
            attempt_token_hash=token_hash(token),
            claim_time=func.now(),
            lease_expire_time=FROM_NOW,
            worker=request.worker,
            hostname=request.hostname,
            process_id=request.process_id,
            process_start=request.process_start,
            machine=request.machine,
            message="",
            update_time=func.now(),
        )
    )
    return Claim(
        playbook_run_id=row.id,
        playbook=row.playbook,
        attempt=attempt,
        token=token,
        container=await _container(connection, row.container_id),
        artifacts=await _artifacts(connection, row),
        inputs=row.inputs or {},
        request_id=row.request_id,
    )


def _run(request: ClaimRequest) -> Select[Any]:
    name = (playbooks.c.repository + "/" + playbooks.c.name).label("playbook")
    lacking = is_lacking(literal(request.worker, Text)).label("is_lacking")
    return select(runs, name, playbooks.c.deployment_id, lacking).join(
        playbooks, playbooks.c.id == runs.c.playbook_id
    )


async def _lock(connection: AsyncConnection, request: ClaimRequest) -> Row[Any] | None:
    """The locked row of the request, or None for a run that began in Prefect and is new."""
    locked = _run(request).with_for_update(of=runs)
    of_flow_run = locked.where(runs.c.flow_run_id == request.flow_run_id)
    if request.playbook_run_id is None:
        return (await connection.execute(of_flow_run)).one_or_none()
    query = locked.where(runs.c.id == request.playbook_run_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise RunUnknown(request.playbook_run_id)
    if row.flow_run_id is None and row.end_time is None:
        raise RunHandedOver(row.id)
    if row.flow_run_id == request.flow_run_id:
        return row
    own = (await connection.execute(of_flow_run)).one_or_none()
    if own is None and not request.copied:
        raise OtherFlowRun(row.id, row.dispatch_key)
    return own


async def _insert(
    connection: AsyncConnection, request: ClaimRequest, repositories: Sequence[str]
) -> int:
    by_deployment = select(playbooks.c.id).where(playbooks.c.deployment_id == request.deployment_id)
    known = (await connection.execute(by_deployment)).scalar() if request.deployment_id else None
    new = RunRequest(
        container_id=request.container_id,
        playbook=known if known is not None else request.playbook,
        scope=request.scope,
        inputs=request.inputs,
    )
    if request.playbook_run_id is not None:
        new = await _copied(connection, request.playbook_run_id, new)
    if request.playbook.isdigit():
        raise NotFound("Playbook", request.playbook)
    if request.former_id is not None and not await _exists(connection, request.former_id):
        raise RunRemoved(request.former_id)
    run_id = await insert_run(
        connection, new, repositories=repositories, flow_run_id=request.flow_run_id
    )
    RUNS_ACCEPTED.labels("prefect").inc()
    return run_id


async def _copied(connection: AsyncConnection, first_id: int, new: RunRequest) -> RunRequest:
    """`new` with what the run `first_id` was asked for and the copy's parameters do not say.

    Prefect's page fills in the defaults of what it is not told: they say nothing.
    """
    query = select(runs).where(runs.c.id == first_id)
    first = (await connection.execute(query)).one()
    if first.playbook_id != new.playbook:
        # Nobody is given the inputs that were meant for another playbook.
        raise OtherFlowRun(first.id, first.dispatch_key)
    scope = first.scope_artifact_ids if first.scope == "artifacts" else first.scope
    return replace(
        new,
        scope=scope if new.scope == "all" else new.scope,
        inputs={**(first.inputs or {}), **(new.inputs or {})},
    )


async def _exists(connection: AsyncConnection, playbook_run_id: int) -> bool:
    query = select(runs.c.id).where(runs.c.id == playbook_run_id)
    return (await connection.execute(query)).one_or_none() is not None


async def _container(connection: AsyncConnection, container_id: int) -> dict[str, Any]:
    query = select(containers).where(containers.c.id == container_id)
    return dict((await connection.execute(query)).mappings().one())


async def _artifacts(connection: AsyncConnection, row: Row[Any]) -> list[dict[str, Any]]:
    in_scope = (
        artifacts.c.id == any_(literal(row.scope_artifact_ids, ARRAY(BigInteger)))
        if row.scope == "artifacts"
        else (artifacts.c.id > row.after_artifact) & (artifacts.c.id <= row.last_artifact)
    )
    query = select(artifacts).where(artifacts.c.container_id == row.container_id, in_scope)
    rows = await connection.execute(query.order_by(artifacts.c.id))
    return [dict(artifact) for artifact in rows.mappings()]


async def hold(connection: AsyncConnection, token: str) -> HeldRun:
    """Lock the run that `token` holds, for work that only a live attempt may do.

    Raises:
        Superseded: the attempt is stale, or its run has ended or is being cancelled.
    """
    query = select(
        *(runs.c.id, runs.c.attempt, runs.c.container_id, runs.c.end_time, runs.c.cancel_time),
        *(runs.c.effective_user_id, runs.c.request_id, runs.c.traceparent),
    ).where(runs.c.attempt_token_hash == token_hash(token))
    row = (await connection.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise AttemptStale
    if row.cancel_time is not None:
        raise RunCancelled(row.id)
    if row.end_time is not None:
        raise RunEnded(row.id)
    return HeldRun(
        id=row.id,
        attempt=row.attempt,
        container_id=row.container_id,
        user_id=row.effective_user_id,
        request_id=row.request_id,
        traceparent=row.traceparent,
    )


async def check(database: Database, token: str) -> None:
    """Raise `Superseded` if the attempt that `token` stands for may not act any more."""
    if await database.fetch(_MAY_ACT, token_hash=token_hash(token)) is None:
        async with database.begin() as connection:
            await hold(connection, token)  # which says why


async def require_known(database: Database, token: str) -> None:
    """Raise `Superseded` if `token` stands for no run's current or last attempt."""
    if await database.fetch(_KNOWN, token_hash=token_hash(token)) is None:
        raise AttemptStale


async def log(database: Database, token: str, lines: Sequence[Line]) -> None:
    """Keep lines of the log of the run that `token` holds.

    Raises:
        Superseded: the attempt is stale, or its run has ended or is being cancelled.
    """
    async with database.begin() as connection:
        held = await hold(connection, token)
        await run_log.keep(connection, held.id, held.attempt, lines)


async def end(
    database: Database,
    token: str,
    status: Literal["success", "failed"],
    message: str,
    lines: Sequence[Line] = (),
    *,
    outputs: str | None = None,
) -> None:
    """End the run that `token` holds, with the last `lines` of its log and what it gave back.

    `outputs` is JSON text. Saying the same once more is fine.

    Raises:
        Superseded: the attempt is stale, or its run was cancelled or ended in another way.
    """
    async with database.begin() as connection:
        query = select(runs.c.status, runs.c.message).where(
            runs.c.attempt_token_hash == token_hash(token),
            runs.c.end_time.is_not(None),
            runs.c.cancel_time.is_(None),
        )
        if (row := (await connection.execute(query)).one_or_none()) is not None and (
            row.status,
            row.message,
        ) == (status, message):
            return
        held = await hold(connection, token)
        await run_log.keep(connection, held.id, held.attempt, lines)
        await finish(connection, held.id, status, message, noted=bool(lines), outputs=outputs)


def token_hash(token: str) -> bytes:
    """What is stored of an attempt's token."""
    return hashlib.sha256(token.encode()).digest()


_KNOWN = Prepared(
    select(runs.c.id).where(runs.c.attempt_token_hash == bindparam("token_hash", type_=LargeBinary))
)
_MAY_ACT = Prepared(
    select(runs.c.id).where(
        runs.c.attempt_token_hash == bindparam("token_hash", type_=LargeBinary),
        runs.c.cancel_time.is_(None),
        runs.c.end_time.is_(None),
    )
)
