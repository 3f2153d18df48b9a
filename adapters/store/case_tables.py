"""The tables of what people and playbooks note, as the migrations leave them."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from adapters.store.columns import identifier, metadata

labels = Table(
    "labels",
    metadata,
    identifier(),
    Column("name", Text, nullable=False, unique=True),
)
"""The labels that containers have or had, kept by a trigger, and those of the setting."""
