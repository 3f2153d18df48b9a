"""What is listed of artifacts: fields and order of a recorded one, with `data` at the end."""

from __future__ import annotations

from sqlalchemy import exists

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    column,
    constant,
    document,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.case_tables import notes
from prefect_phantom.adapters.store.tables.tables import artifacts

ARTIFACT = Resource(
    name="artifact",
    source=artifacts,
    thing="Artifact",
    title=column("name"),
    fields={
        "tags": document("tags"),
        "id": integer("id"),
        "cef": document("cef"),
        "cef_types": document("cef_types"),
        "container": reference("container_id", "container"),
        "create_time": time("create_time"),
        "description": text("description"),
        "end_time": time("end_time"),
        "external_id": text("external_id"),
        "hash": text("hash"),
        "ingest_app": constant(Kind.TEXT),
        "kill_chain": text("kill_chain"),
        "label": text("label"),
        "name": text("name"),
        "owner": reference("owner_id", "ph_user"),
        "playbook_run": constant(Kind.INTEGER),
        "severity": text("severity"),
        "source_data_identifier": text("source_data_identifier"),
        "start_time": time("start_time"),
        "type": text("type"),
        "update_time": time("update_time"),
        "version": integer("version"),
        "in_case": constant(Kind.BOOLEAN, value=False),
        "has_note": Field(
            Kind.BOOLEAN, lambda row: exists().where(notes.c.artifact_id == row.c.id)
        ),
        "parent_container": constant(Kind.INTEGER),
        "parent_artifact": constant(Kind.INTEGER),
        "data": document("data"),
    },
)
