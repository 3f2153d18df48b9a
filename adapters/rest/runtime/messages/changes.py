"""What runs want to change of cases, described as callers of the contract describe it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue

from prefect_phantom.adapters.rest.request.fields import LONGEST_INDEXED
from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage

Identifier = Annotated[int, Field(gt=0, lt=2**63)]
Body = dict[str, JsonValue]
Cell = str | int | float | bool | None
LARGEST_BYTES = 4 * 1024 * 1024
"""Of a change: what callers of the contract may send, and more."""


class _Keyed(RuntimeMessage):
    """A change that is known by its key when it comes again."""

    largest_bytes = LARGEST_BYTES
    key: UUID
    container_id: Identifier | None = None


class NewArtifact(_Keyed):
    """An artifact to add."""

    artifact: Body


class ArtifactChange(RuntimeMessage):
    """What is to change of an artifact."""

    largest_bytes = LARGEST_BYTES
    key: UUID
    artifact: Body
    overwrite: bool = False


class ContainerChange(_Keyed):
    """What is to change of a container."""

    status: str | None = Field(default=None, min_length=1, max_length=LONGEST_INDEXED)
    severity: str | None = Field(default=None, min_length=1, max_length=LONGEST_INDEXED)


class NewEntry(_Keyed):
    """A note, comment or pin to add."""

    entry: Body


class NewRow(RuntimeMessage):
    """A row to add to a custom list."""

    largest_bytes = LARGEST_BYTES
    key: UUID
    name: str = Field(min_length=1, max_length=LONGEST_INDEXED)
    row: list[Cell]
    create: bool = False
