"""What is listed of playbook runs. The fields are those of the run object, made in one place.

Published clients look up the playbook's name in the `message` of runs in a list, so it is there,
in its form; its `result`, which may be large, is left empty unless `include_expensive` is given.
A filter by `message` looks at its sentence and the playbook's name, not at results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, FromClause, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from prefect_phantom.adapters.store.listing.field import (
    Expression,
    Field,
    Kind,
    boolean,
    column,
    constant,
    document,
    having,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.runs import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbook_runs, playbooks


def _of_playbook(value: Expression) -> Expression:
    return lambda row: (
        select(value(playbooks)).where(playbooks.c.id == row.c.playbook_id).scalar_subquery()
    )


def _name(row: FromClause) -> ColumnElement[str]:
    name: ColumnElement[str] = row.c.repository + "/" + row.c.name
    return name


def _misc(row: FromClause) -> ColumnElement[Any]:
    names = (
        *("scope", "scope_artifact_ids", "flow_run_id", "worker", "hostname", "process_id"),
        "request_id",
    )
    pairs = [part for name in names for part in (literal(name, Text), row.c[name])]
    return func.jsonb_build_object(*pairs, type_=JSONB())


def _columns(row: FromClause, expensive: bool) -> Sequence[ColumnElement[Any]]:
    """What a `PlaybookRun` is made of."""
    result = runs.result(row) if expensive else cast(literal([], JSON), JSON)
    return [
        *(row.c[name] for name in runs.NAMES),
        _of_playbook(_name)(row).label("playbook"),
        result.label("result"),
    ]


PLAYBOOK_RUN = Resource(
    name="playbook_run",
    source=playbook_runs,
    thing="Playbook run",
    title=lambda row: cast(row.c.id, Text),
    columns=_columns,
    fields={
        "action_exec": constant(Kind.JSON, []),
        "cancelled": text("cancelled"),
        "container": reference("container_id", "container"),
        "id": integer("id"),
        "last_artifact": integer("last_artifact"),
        "log_level": integer("log_level"),
        "message": Field(Kind.TEXT, column("message"), also=_of_playbook(_name)),
        "owner": reference("owner_id", "ph_user"),
        "playbook": reference("playbook_id", "playbook"),
        "start_time": time("start_time"),
        "status": text("status"),
        "test_mode": boolean("test_mode"),
        "update_time": time("update_time"),
        "version": integer("version"),
        "ip_address": text("ip_address"),
        "misc": Field(Kind.JSON, _misc),
        "parent_run": reference("parent_run_id", "playbook_run"),
        "effective_user": reference("effective_user_id", "ph_user"),
        "node_guid": constant(Kind.TEXT),
        "playbook_run_batch": constant(Kind.TEXT),
        "inputs": document("inputs"),
        "outputs": document("outputs"),
        "run_data": constant(Kind.JSON, {}),
        "targets": constant(Kind.JSON, []),
    },
    related={
        "actionrun": having("playbook_run_id", "action_run"),
        "action_run": having("playbook_run_id", "action_run"),
        "apprun": having("playbook_run_id", "app_run"),
        "app_run": having("playbook_run_id", "app_run"),
    },
    pretty={"scm_name": _of_playbook(column("repository"))},
)
