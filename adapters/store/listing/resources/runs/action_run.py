"""The list of action runs."""

from __future__ import annotations

from sqlalchemy import exists, select

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    Relation,
    column,
    constant,
    having,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.tables import action_runs, app_runs, playbook_runs


def _of_run(name: str) -> Field:
    """A column of the playbook run, with what it refers to."""
    return Field(
        Kind.INTEGER,
        lambda row: (
            select(playbook_runs.c[name])
            .where(playbook_runs.c.id == row.c.playbook_run_id)
            .scalar_subquery()
        ),
        to=Relation(
            {"owner_id": "ph_user", "playbook_id": "playbook"}[name],
            lambda mine, theirs: (
                exists()
                .where(
                    playbook_runs.c.id == mine.c.playbook_run_id,
                    playbook_runs.c[name] == theirs.c.id,
                )
                .correlate(mine, theirs)
            ),
        ),
    )


ACTION_RUN = Resource(
    name="action_run",
    source=action_runs,
    thing="Action run",
    title=column("name"),
    fields={
        "action": text("action"),
        "app_name": text("app"),
        "cancelled": constant(Kind.TEXT, ""),
        "close_time": time("close_time"),
        "comment": constant(Kind.TEXT, ""),
        "container": reference("container_id", "container"),
        "create_time": time("create_time"),
        "creator": constant(Kind.TEXT),
        "exec_order": constant(Kind.INTEGER),
        "handle": constant(Kind.TEXT),
        "id": integer("id"),
        "message": text("message"),
        "name": text("name"),
        "owner": _of_run("owner_id"),
        "playbook": _of_run("playbook_id"),
        "playbook_run": reference("playbook_run_id", "playbook_run"),
        "status": text("status"),
        "targets": constant(Kind.JSON, []),
        "type": text("type"),
        "version": integer("version"),
    },
    related={
        "apprun": having("action_run_id", "app_run"),
        "app_run": having("action_run_id", "app_run"),
    },
    pretty={
        "has_app_runs": lambda row: exists().where(app_runs.c.action_run_id == row.c.id),
    },
)
