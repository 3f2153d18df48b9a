"""Stored data as a playbook sees it: its container, the artifacts in scope, assets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    # A newer gateway may send more than an older run process knows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Container(_Record):
    """The event or case that a playbook runs on."""

    id: int
    name: str
    label: str
    status: str
    severity: str
    sensitivity: str
    description: str | None = None
    source_data_identifier: str
    due_time: datetime | None = None
    tags: list[str] = []
    custom_fields: dict[str, Any] = {}
    data: Any = {}


class Artifact(_Record):
    """A piece of evidence in a container; its facts are in `cef`, by CEF field name."""

    id: int
    name: str
    label: str
    severity: str
    type: str | None = None
    description: str | None = None
    source_data_identifier: str
    cef: dict[str, Any] = {}
    cef_types: dict[str, Any] = {}
    tags: list[str] = []
    data: Any = {}
