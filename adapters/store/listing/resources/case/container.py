"""What is listed of containers: fields and order of a recorded one, `data` of an older one last."""

from __future__ import annotations

from sqlalchemy import func, select

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    column,
    constant,
    document,
    further,
    having,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.account_tables import users
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import artifacts, containers

RECORDED = {
    "tags": document("tags"),
    "id": integer("id"),
    "artifact_count": Field(
        Kind.INTEGER,
        lambda row: (
            select(func.count()).where(artifacts.c.container_id == row.c.id).scalar_subquery()
        ),
    ),
    "artifact_update_time": time("artifact_update_time"),
    "asset": constant(Kind.INTEGER),
    "close_time": time("close_time"),
    "closing_owner": constant(Kind.INTEGER),
    "closing_rule_run": constant(Kind.INTEGER),
    "container_update_time": time("container_update_time"),
    "create_time": time("create_time"),
    "description": text("description"),
    "due_time": time("due_time"),
    "end_time": time("end_time"),
    "hash": text("hash"),
    "external_id": text("external_id"),
    "ingest_app": constant(Kind.TEXT),
    "kill_chain": text("kill_chain"),
    "label": text("label"),
    "name": text("name"),
    "open_time": time("open_time"),
    "owner": reference("owner_id", "ph_user"),
    "role": constant(Kind.INTEGER),
    "owner_name": Field(
        Kind.TEXT,
        lambda row: select(users.c.username).where(users.c.id == row.c.owner_id).scalar_subquery(),
    ),
    "sensitivity": text("sensitivity"),
    "severity": text("severity"),
    "source_data_identifier": text("source_data_identifier"),
    "start_time": time("start_time"),
    "status": text("status"),
    "version": integer("version"),
    "workflow_name": constant(Kind.TEXT, ""),
    "custom_fields": document("custom_fields"),
    "container_type": text("container_type"),
    "in_case": constant(Kind.BOOLEAN, value=False),
    "current_phase": constant(Kind.INTEGER),
    "tenant": constant(Kind.INTEGER, 0),
    "parent_container": constant(Kind.INTEGER),
    "node_guid": constant(Kind.TEXT),
    "data": document("data"),
}
"""In this order."""
CONTAINER = Resource(
    name="container",
    source=containers,
    thing="Container",
    title=column("name"),
    fields={**RECORDED, **further(ContainerFields, RECORDED)},
    related={
        "artifact": having("container_id", "artifact"),
        "playbookrun": having("container_id", "playbook_run"),
        "playbook_run": having("container_id", "playbook_run"),
        "actionrun": having("container_id", "action_run"),
        "action_run": having("container_id", "action_run"),
        "note": having("container_id", "note"),
        "container_comment": having("container_id", "container_comment"),
        "container_pin": having("container_id", "container_pin"),
    },
)
