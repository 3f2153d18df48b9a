"""The tables of what people and playbooks note, as the migrations leave them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text

from prefect_phantom.adapters.store.tables.columns import (
    identifier,
    json,
    metadata,
    number,
    partial,
    reference,
    time,
    words,
)

labels = Table(
    "labels",
    metadata,
    identifier(),
    Column("name", Text, nullable=False, unique=True),
)
"""The labels that containers have or had, kept by a trigger, and those of the setting."""

notes = Table(
    "notes",
    metadata,
    identifier(),
    reference("container_id", "containers.id", cascade=True),
    reference("artifact_id", "artifacts.id", null=True, cascade=True),
    reference("author_id", "users.id", null=True),
    words("title"),
    words("content"),
    words("note_type", "general"),
    words("note_format", "markdown"),
    time("create_time"),
    time("modified_time"),
    number("version", 1),
    Index(None, "container_id", "id"),
    partial("ix_notes_artifact_id", "artifact_id", where="artifact_id IS NOT NULL"),
)

container_comments = Table(
    "container_comments",
    metadata,
    identifier(),
    reference("container_id", "containers.id", cascade=True),
    reference("user_id", "users.id", null=True),
    words("comment"),
    time("time"),
    Index(None, "container_id", "id"),
)

container_pins = Table(
    "container_pins",
    metadata,
    identifier(),
    reference("container_id", "containers.id", cascade=True),
    reference("author_id", "users.id", null=True),
    words("message"),
    words("data"),
    words("pin_style"),
    words("pin_type"),
    time("create_time"),
    time("modified_time"),
    Index(None, "container_id", "id"),
)

decided_lists = Table(
    "decided_lists",
    metadata,
    identifier(),
    Column("name", Text, nullable=False, unique=True),
    json("content", "[]"),
    time("create_time"),
    time("update_time"),
    number("version", 1),
    CheckConstraint("name !~ '^[0-9]+$'", name="name_not_a_number"),
)
"""Custom lists: ``content`` is a list of rows, each a list of simple values."""
