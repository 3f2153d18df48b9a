"""What is listed of notes, comments and pins: what published clients read, as far as it is here."""

from __future__ import annotations

from sqlalchemy import Text, cast, select

from prefect_phantom.adapters.store.case.container_entries import COMMENTS, NOTES, PINS
from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    column,
    constant,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.account_tables import users
from prefect_phantom.adapters.store.tables.case_tables import (
    container_comments,
    container_pins,
    notes,
)


def _username(name: str) -> Field:
    """The username of the user whose id is in the column `name`."""
    return Field(
        Kind.TEXT,
        lambda row: select(users.c.username).where(users.c.id == row.c[name]).scalar_subquery(),
    )


NOTE = Resource(
    name="note",
    source=notes,
    thing=NOTES.thing,
    title=column("title"),
    fields={
        "id": integer("id"),
        "author": reference("author_id", "ph_user"),
        "author_name": _username("author_id"),
        "container": reference("container_id", "container"),
        "artifact": reference("artifact_id", "artifact"),
        "title": text("title"),
        "content": text("content"),
        "note_type": text("note_type"),
        "note_format": text("note_format"),
        "phase": constant(Kind.INTEGER),
        "task": constant(Kind.INTEGER),
        "create_time": time("create_time"),
        "modified_time": time("modified_time"),
        "version": integer("version"),
    },
)
COMMENT = Resource(
    name="container_comment",
    source=container_comments,
    thing=COMMENTS.thing,
    title=column("comment"),
    fields={
        "id": integer("id"),
        "container": reference("container_id", "container"),
        "user": reference("user_id", "ph_user"),
        "user_name": _username("user_id"),
        "comment": text("comment"),
        "time": time("time"),
    },
)
PIN = Resource(
    name="container_pin",
    source=container_pins,
    thing=PINS.thing,
    title=lambda row: cast(row.c.id, Text),
    fields={
        "id": integer("id"),
        "container": reference("container_id", "container"),
        "author": reference("author_id", "ph_user"),
        "message": text("message"),
        "data": text("data"),
        "pin_style": text("pin_style"),
        "pin_type": text("pin_type"),
        "create_time": time("create_time"),
        "modified_time": time("modified_time"),
    },
)
