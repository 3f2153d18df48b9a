"""What is listed of playbooks: the vendor's fields as far as they mean something here, then ours.

A name is found as it is and as ``repository/name``, since callers write both.
"""

from __future__ import annotations

from sqlalchemy import Text, cast, select

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    Relation,
    boolean,
    column,
    constant,
    document,
    having,
    integer,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.tables import playbooks, repositories

PLAYBOOK = Resource(
    name="playbook",
    source=playbooks,
    thing="Playbook",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": Field(
            Kind.TEXT, column("name"), also=lambda row: row.c.repository + "/" + row.c.name
        ),
        "scm": Field(
            Kind.INTEGER,
            lambda row: (
                select(repositories.c.id)
                .where(repositories.c.name == row.c.repository)
                .scalar_subquery()
            ),
            to=Relation("scm", lambda mine, theirs: mine.c.repository == theirs.c.name),
        ),
        "active": boolean("active"),
        "disabled": boolean("disabled"),
        "draft_mode": constant(Kind.BOOLEAN, value=False),
        "labels": document("labels"),
        "category": text("category"),
        "tags": document("tags"),
        "playbook_type": text("playbook_type"),
        "input_spec": document("input_spec"),
        "output_spec": document("output_spec"),
        "passed_validation": Field(Kind.BOOLEAN, lambda row: row.c.error == ""),
        "version": integer("version"),
        "python": constant(Kind.TEXT),
        "coa_data": constant(Kind.JSON, {}),
        "create_time": time("create_time"),
        "update_time": time("update_time"),
        "repository": text("repository"),
        "description": text("description"),
        "error": text("error"),
        "gone": Field(Kind.BOOLEAN, lambda row: row.c.gone_time.is_not(None)),
        "deployment_id": Field(Kind.TEXT, lambda row: cast(row.c.deployment_id, Text)),
    },
    related={
        "playbookrun": having("playbook_id", "playbook_run"),
        "playbook_run": having("playbook_id", "playbook_run"),
    },
)
