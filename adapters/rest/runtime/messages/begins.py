"""How runs and their actions begin, as runs tell it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field, JsonValue

from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage


class Claim(RuntimeMessage):
    """A process asks for its run."""

    largest_bytes = 1024 * 1024
    claim_id: UUID
    flow_run_id: UUID
    deployment_id: UUID | None
    playbook: str
    playbook_run_id: int | None
    container_id: int
    scope: Literal["all", "new"] | list[int]
    inputs: dict[str, JsonValue] | None
    worker: str | None
    hostname: str
    process_id: int = Field(ge=0, lt=2**31)
    process_start: float
    machine: str | None = None
    former_id: int | None = Field(default=None, ge=0, lt=2**63)


class ActionStart(RuntimeMessage):
    """An action is about to begin."""

    largest_bytes = 4 * 1024 * 1024
    start_key: UUID
    action: str
    app: str
    type: str
    name: str
    parameters: list[dict[str, JsonValue]]
    assets: list[str] | None
    needs_asset: bool
