"""Runs that start by themselves: of the active playbooks that are meant for a container's label.

They are made in the transaction that brings the artifacts, so there are never the ones without the
others. Whoever calls `start` holds the container's row, or has just made it: so a run of scope
``new`` gets exactly what is new to its playbook.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Interval,
    Select,
    Text,
    any_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, array
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.accounts.served_request import DONE
from prefect_phantom.adapters.store.database.measures import RUNS_ACCEPTED
from prefect_phantom.adapters.store.starts.scope_marks import mark, newest_artifact
from prefect_phantom.adapters.store.tables.account_tables import audit
from prefect_phantom.adapters.store.tables.tables import containers, playbooks
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

EVERY_LABEL = "*"
"""The label of playbooks that are meant for all containers, as in Phantom."""
PATH = "/rest/playbook_run"
"""Where such a run would have been asked for; the audit has it beside a sentence."""
SKIPPED = 400


@dataclass(frozen=True, slots=True)
class Automation:
    """On whose behalf runs start by themselves.

    Attributes:
        owner_id: Who brings the artifacts; nobody for a run that began in Prefect.
        ip_address: From where.
        queue_delay: How much later than they came the runs stand in the queue.
        request_id: What the request is called that brings the artifacts.
        traceparent: W3C trace context under which the runs are given to Prefect.
        cause: The playbook run that brings them, if one does.
    """

    owner_id: int | None = None
    ip_address: str | None = None
    queue_delay: timedelta = timedelta()
    request_id: str | None = None
    traceparent: str | None = None
    cause: int | None = None


async def start(connection: AsyncConnection, container_id: int, by: Automation) -> list[int]:
    """Start each playbook that is active and has the container's label; returns the runs' ids.

    One that matches and cannot start by itself is left out, which the audit says with the reason.
    """
    # The statement that makes runs costs milliseconds, also when there is none to make.
    if not await connection.scalar(_ANY, {"container": container_id}):
        return []
    chain = [] if by.cause is None else await _chain(connection, by.cause)
    made = await connection.execute(
        _START,
        {
            "container": container_id,
            "chain": chain,
            "owner": by.owner_id,
            "ip_address": by.ip_address,
            "queue_delay": by.queue_delay,
            "request_id": by.request_id,
            "traceparent": by.traceparent,
        },
    )
    ids = sorted(made.scalars())
    RUNS_ACCEPTED.labels("automation").inc(len(ids))
    return ids


async def _chain(connection: AsyncConnection, playbook_run_id: int) -> list[int]:
    """The playbooks that had a part in what the run does: its own, its parents', its causes'."""
    return list((await connection.execute(_CHAIN, {"cause": playbook_run_id})).scalars())


# A run knows the playbooks before it by their ids alone, so that retention may remove theirs.
_CHAIN = text(
    """
    WITH RECURSIVE line AS (
      SELECT id, parent_run_id, playbook_id, automation_chain
      FROM playbook_runs WHERE id = :cause
      UNION
      SELECT run.id, run.parent_run_id, run.playbook_id, run.automation_chain
      FROM playbook_runs AS run JOIN line ON run.id = line.parent_run_id
    )
    SELECT playbook_id FROM line
    UNION SELECT unnest(automation_chain) FROM line
    """
).columns(playbook_id=BigInteger)


def asks_for_inputs() -> ColumnElement[bool]:
    """Whether a playbook has inputs that must be given."""
    required = func.coalesce(playbooks.c.input_schema["required"], literal([], JSONB))
    return func.jsonb_array_length(required) > 0


def _matches() -> ColumnElement[bool]:
    """Whether a playbook is active and meant for a container."""
    labels = array([containers.c.label, literal(EVERY_LABEL, Text)])
    return playbooks.c.active & playbooks.c.labels.op("?|", is_comparison=True)(labels)


def _any() -> Select[Any]:
    found = exists(select(playbooks.c.id).where(_matches()).correlate(containers))
    is_it = containers.c.id == bindparam("container", type_=BigInteger)
    return select(found).select_from(containers).where(is_it)


def _start() -> Select[Any]:
    """One statement that makes the runs and what the audit says of them and of those left out."""
    chain = bindparam("chain", type_=ARRAY(BigInteger))
    owner = bindparam("owner", type_=BigInteger)
    ip_address = bindparam("ip_address", type_=Text)
    reason = case(
        (playbooks.c.disabled, "it is disabled"),
        (playbooks.c.gone_time.is_not(None), "it is no longer in its repository"),
        ((playbooks.c.error != "") & ~playbooks.c.earlier_code, "it does not import"),
        (asks_for_inputs(), "it asks for inputs"),
        (
            playbooks.c.id == any_(chain),
            "it had a part in bringing these artifacts, and would start for ever",
        ),
        else_=null(),
    )
    matching = (
        select(
            playbooks.c.id.label("playbook_id"),
            (playbooks.c.repository + "/" + playbooks.c.name).label("name"),
            containers.c.id.label("container_id"),
            reason.label("reason"),
        )
        .select_from(containers.join(playbooks, true()))
        .where(containers.c.id == bindparam("container", type_=BigInteger), _matches())
        .cte("matching")
    )
    columns: dict[str, ColumnElement[Any]] = {
        "playbook_id": matching.c.playbook_id,
        "container_id": matching.c.container_id,
        "owner_id": owner,
        "effective_user_id": owner,
        "scope": literal_column("'new'"),
        "after_artifact": mark(matching.c.container_id, matching.c.playbook_id),
        "last_artifact": newest_artifact(matching.c.container_id),
        "queue_time": func.now() + bindparam("queue_delay", type_=Interval),
        "ip_address": ip_address,
        "request_id": bindparam("request_id", type_=Text),
        "traceparent": bindparam("traceparent", type_=Text),
        "automation_chain": chain,
    }
    new = select(*columns.values()).where(matching.c.reason.is_(None))
    made = (
        insert(runs)
        .from_select(list(columns), new.order_by(matching.c.playbook_id))
        .returning(runs.c.id, runs.c.playbook_id)
        .cte("made")
    )
    said: dict[str, ColumnElement[Any]] = {
        "user_id": owner,
        "ip_address": ip_address,
        "method": literal_column("'POST'"),
        "path": literal_column(f"'{PATH}'"),
    }
    of_container = func.concat(" on container ", matching.c.container_id)
    started = {
        **said,
        "object_id": made.c.id,
        "status": literal_column(str(DONE)),
        "message": matching.c.name + " started by itself" + of_container,
    }
    left_out = {
        **said,
        "status": literal_column(str(SKIPPED)),
        "message": matching.c.name
        + " did not start by itself"
        + of_container
        + ": "
        + matching.c.reason,
    }
    notes = [
        insert(audit).from_select(
            list(started),
            select(*started.values()).select_from(
                made.join(matching, matching.c.playbook_id == made.c.playbook_id)
            ),
        ),
        insert(audit).from_select(
            list(left_out), select(*left_out.values()).where(matching.c.reason.is_not(None))
        ),
    ]
    query = select(made.c.id)
    for number, note in enumerate(notes):
        query = query.add_cte(note.cte(f"note_{number}"))
    return query


_ANY = _any()
_START = _start()
