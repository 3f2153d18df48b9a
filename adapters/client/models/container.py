"""Containers and what is in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from prefect_phantom.client.models.answer import Item


class Container(Item):
    """A case: what happened, with artifacts as its evidence."""

    resource: ClassVar[str] = "container"
    name: str = ""
    label: str = ""
    description: str | None = None
    status: str = ""
    severity: str = ""
    sensitivity: str = ""
    artifact_count: int = 0
    source_data_identifier: str | None = None
    owner: int | None = None
    create_time: datetime | None = None
    tags: list[str] = Field(default_factory=list)
    custom_fields: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)


class Artifact(Item):
    """A piece of evidence in a container."""

    resource: ClassVar[str] = "artifact"
    container: int
    name: str = ""
    label: str = ""
    type: str | None = None
    severity: str = ""
    cef: dict[str, Any] = Field(default_factory=dict)
    """Its values by their names in the Common Event Format, such as ``sourceAddress``."""
    cef_types: dict[str, Any] = Field(default_factory=dict)
    source_data_identifier: str | None = None
    create_time: datetime | None = None
    tags: list[str] = Field(default_factory=list)
    data: dict[str, Any] = Field(default_factory=dict)


class Note(Item):
    """A text that somebody wrote on a container or on one of its artifacts."""

    resource: ClassVar[str] = "note"
    container: int
    artifact: int | None = None
    title: str = ""
    content: str = ""
    note_type: str = ""
    note_format: str = ""
    """``markdown`` or ``html``."""
    author: int | None = None
    author_name: str | None = None
    create_time: datetime | None = None
