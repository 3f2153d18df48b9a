"""Requests to run a playbook: accepted means that the run's row is durable."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Insert,
    Interval,
    Select,
    any_,
    bindparam,
    case,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.errors import ForeignArtifact, NotFound, PlaybookDisabled
from prefect_phantom.adapters.store.accounts.served_request import DONE, about, was_noted
from prefect_phantom.adapters.store.case.containers import lock
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.measures import RUNS_ACCEPTED
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.playbooks.playbooks import PLAYBOOK_ID, find, reference
from prefect_phantom.adapters.store.starts import idempotency_keys, inputs
from prefect_phantom.adapters.store.starts.idempotency_keys import IdempotencyKey
from prefect_phantom.adapters.store.starts.scope_marks import mark, newest_artifact
from prefect_phantom.adapters.store.tables.account_tables import audit
from prefect_phantom.adapters.store.tables.tables import artifacts, containers, playbooks
from prefect_phantom.adapters.store.tables.tables import idempotency_keys as keys
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request to run a playbook, checked in form but not yet against what is stored."""

    container_id: int
    playbook: int | str
    scope: str | list[int]
    inputs: dict[str, Any] | None = None
    owner_id: int | None = None
    ip_address: str | None = None
    queue_delay: timedelta = timedelta()
    """How much later than it came it stands in the queue."""
    request_id: str | None = None
    traceparent: str | None = None
    """W3C trace context under which it is given to Prefect."""


async def accept(
    database: Database,
    request: RunRequest,
    *,
    repositories: Sequence[str],
    key: IdempotencyKey | None = None,
) -> int:
    """Store a run that will be carried out, and return its id. Durable when this returns.

    A `key` that came before with the same request gives the run that it got then.

    Raises:
        NotFound: the named thing does not exist.
        ForeignArtifact: an artifact of the scope is not in the container.
        PlaybookDisabled: the playbook is disabled.
        KeyReused: the key came before with another request.
    """
    if request.scope == "all":
        values = _values(request, repositories)
        row = None
        # A container that is deleted in this moment: the long way says that it is not there.
        with suppress(asyncpg.ForeignKeyViolationError):
            row = await (
                database.fetch(_ACCEPT, **values)
                if key is None
                else database.fetch(_ACCEPT_ONCE, **values, **asdict(key))
            )
        if row is not None:
            was_noted()
            RUNS_ACCEPTED.labels("rest").inc()
            return int(row["id"])
    # The long way checks more, and says what is wrong with a request. One transaction for the rows
    # of key and run: a refused request leaves neither.
    async with database.begin() as connection:
        if key is not None:
            known = await idempotency_keys.claim(connection, key)
            if known is not None:
                about(known)
                return known
        playbook_run_id = await insert_run(connection, request, repositories=repositories)
        about(playbook_run_id)
        if key is not None:
            await idempotency_keys.record(connection, key, playbook_run_id)
    RUNS_ACCEPTED.labels("rest").inc()
    return playbook_run_id


async def insert_run(
    connection: AsyncConnection,
    request: RunRequest,
    *,
    repositories: Sequence[str],
    flow_run_id: UUID | None = None,
) -> int:
    """`accept` inside a transaction; `flow_run_id` is given for a run that began in Prefect."""
    if not 0 < request.container_id <= LARGEST_ID:
        raise NotFound("Container", request.container_id)
    values = _values(request, repositories, flow_run_id)
    if request.scope == "all":
        made = (await connection.execute(_INSERT_RUN, values)).scalar_one_or_none()
        if made is not None:
            return int(made)
    # Of two runs of scope "new" at once, the second must see the first one's mark.
    await lock(connection, request.container_id)
    playbook = await find(connection, request.playbook, repositories=repositories)
    if playbook.disabled:
        raise PlaybookDisabled(f"{playbook.repository}/{playbook.name}")
    if isinstance(request.scope, list):
        await _check_artifacts(connection, request.container_id, request.scope)
    if request.scope == "new":
        query = select(mark(request.container_id, playbook.id))
        values["after_artifact"] = await connection.scalar(query)
    inputs.check(f"{playbook.repository}/{playbook.name}", playbook.input_schema, request.inputs)
    values["inputs_checked"] = True
    return int((await connection.execute(_INSERT_RUN, values)).scalar_one())


async def insert_refused(
    connection: AsyncConnection, request: RunRequest, flow_run_id: UUID
) -> int | None:
    """The row of a run that began in Prefect and cannot be carried out; nothing else is checked.

    None where its container does not exist, or another run has its flow run.
    """
    values = {**_values(request, [], flow_run_id), "inputs_checked": True}
    with suppress(IntegrityError):
        async with connection.begin_nested():
            made = (await connection.execute(_INSERT_RUN, values)).scalar_one_or_none()
            return None if made is None else int(made)
    return None


def _values(
    request: RunRequest, repositories: Sequence[str], flow_run_id: UUID | None = None
) -> dict[str, Any]:
    artifact_ids = request.scope if isinstance(request.scope, list) else None
    return {
        **reference(request.playbook, repositories),
        "container": request.container_id if 0 < request.container_id <= LARGEST_ID else 0,
        "owner": request.owner_id,
        "scope": "artifacts" if artifact_ids is not None else request.scope,
        "scope_artifact_ids": artifact_ids,
        "after_artifact": 0,
        "inputs": request.inputs,
        "ip_address": request.ip_address,
        "request_id": request.request_id,
        "traceparent": request.traceparent,
        "queue_delay": request.queue_delay,
        "flow_run_id": flow_run_id,
        "inputs_checked": False,
    }


def _new_run() -> tuple[list[str], Select[Any]]:
    """Columns of a new run, and the query for them: container, playbook and newest artifact.

    It needs no lock for its mark. Whoever adds an artifact locks the container before the new id
    is given out, so ids of a container become visible in their order: below the newest artifact
    that a statement sees there is none that it does not see.
    """
    owner = bindparam("owner", type_=BigInteger)
    flow_run_id = bindparam("flow_run_id", type_=runs.c.flow_run_id.type)
    columns: dict[str, ColumnElement[Any]] = {
        "playbook_id": playbooks.c.id,
        "container_id": containers.c.id,
        "owner_id": owner,
        "effective_user_id": owner,
        "last_artifact": newest_artifact(containers.c.id),
        "queue_time": func.now() + bindparam("queue_delay", type_=Interval),
        "flow_run_id": flow_run_id,
        "dispatch_time": case((flow_run_id.is_not(None), func.now())),
        **{
            name: bindparam(name, type_=runs.c[name].type)
            for name in (
                *("scope", "scope_artifact_ids", "after_artifact", "inputs"),
                *("ip_address", "request_id", "traceparent"),
            )
        },
    }
    source = (
        select(*(value.label(name) for name, value in columns.items()))
        .select_from(containers.join(playbooks, true()))
        .where(
            containers.c.id == bindparam("container", type_=BigInteger),
            playbooks.c.id == PLAYBOOK_ID,
            playbooks.c.disabled.is_(False),
            # What asks for inputs goes the long way, which looks at them.
            or_(playbooks.c.input_schema.is_(None), bindparam("inputs_checked", type_=Boolean)),
        )
    )
    return list(columns), source


def _accept_once() -> Prepared:
    """One statement that inserts key, run and the audit's row, or none when the key counts."""
    columns, source = _new_run()
    found = source.cte("found")
    names = ("user_id", "key", "request_hash")
    given = [bindparam(name, type_=keys.c[name].type) for name in names]
    run_id = func.nextval("playbook_runs_id_seq", type_=BigInteger)
    claimed = idempotency_keys.claiming(select(*given, run_id).select_from(found)).cte("claimed")
    row = select(claimed.c.playbook_run_id, *found.c).select_from(found.join(claimed, true()))
    return _noted(insert(runs).from_select(["id", *columns], row))


def _noted(new: Insert) -> Prepared:
    """A statement that makes the run `new` and its row in the audit, without a second trip."""
    made = new.returning(runs.c.id, runs.c.owner_id, runs.c.ip_address).cte("made")
    row = {
        "user_id": made.c.owner_id,
        "ip_address": made.c.ip_address,
        "method": literal_column("'POST'"),
        "path": literal_column("'/rest/playbook_run'"),
        "object_id": made.c.id,
        "status": literal_column(str(DONE)),
    }
    note = insert(audit).from_select(list(row), select(*row.values())).cte("note")
    return Prepared(select(made.c.id).add_cte(note))


_COLUMNS, _SOURCE = _new_run()
_INSERT = insert(runs).from_select(_COLUMNS, _SOURCE)
_INSERT_RUN = _INSERT.returning(runs.c.id)
_ACCEPT = _noted(_INSERT)
_ACCEPT_ONCE = _accept_once()


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
        raise ForeignArtifact(unknown[0], container_id)
