"""What callers write of containers and artifacts. None says nothing; times are aware.

A new field stands here and, where playbooks shall see it, in `flows/container.py`; a migration adds
its column. The table, the body that is read, its schema and the list follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prefect_phantom.adapters.store.tables.columns import DEFAULT_SEVERITY
from prefect_phantom.adapters.store.tables.written import (
    Identifier,
    Object,
    Text,
    Texts,
    Time,
    TimeOrNow,
    User,
    filled,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFields:
    """What a caller says of a container."""

    name: Annotated[str | None, filled()] = None
    label: Annotated[str | None, filled(indexed=True)] = None
    description: Text = None
    status: Annotated[str | None, filled("new", indexed=True)] = None
    severity: Annotated[str | None, filled(DEFAULT_SEVERITY)] = None
    sensitivity: Annotated[str | None, filled("amber")] = None
    container_type: Annotated[str | None, filled("default")] = None
    source_data_identifier: Identifier = None
    external_id: Text = None
    kill_chain: Text = None
    owner_id: User = None
    tags: Texts = None
    custom_fields: Object = None
    data: Object = None
    start_time: TimeOrNow = None
    end_time: Time = None
    due_time: Time = None
    open_time: Time = None
    close_time: Time = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFields:
    """What a caller says of an artifact."""

    name: Annotated[str | None, filled()] = None
    label: Annotated[str | None, filled()] = None
    type: Text = None
    description: Text = None
    severity: Annotated[str | None, filled(DEFAULT_SEVERITY)] = None
    source_data_identifier: Identifier = None
    external_id: Text = None
    kill_chain: Text = None
    owner_id: User = None
    cef: Object = None
    cef_types: Object = None
    data: Object = None
    tags: Texts = None
    start_time: TimeOrNow = None
    end_time: Time = None
