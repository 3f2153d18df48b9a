"""What workers, guardians and runs say of what they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue

from prefect_phantom.adapters.between.report_size import LARGEST_REPORT, MOST_PLAYBOOKS
from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage

LONGEST_PATH = 4096
LONGEST_TEXT = 100_000
MOST_SLOTS = 10_000
"""Slots that one run may hold in limits."""


class FlowRuns(RuntimeMessage):
    """Flow runs that somebody answers for."""

    largest_bytes = 1024 * 1024
    flow_run_ids: list[UUID]


class Standing(FlowRuns):
    """How a worker stands, with the flow runs that it has."""

    work_pool: str
    type: str
    hostname: str
    version: str
    slots: int = Field(ge=0, lt=2**31)
    taken: int = Field(ge=0, lt=2**31)
    start_time: AwareDatetime


class GoneProcess(RuntimeMessage):
    """A process that has ended without its worker."""

    flow_run_id: UUID
    process_id: int


class GoneProcesses(RuntimeMessage):
    """Several of them."""

    largest_bytes = 1024 * 1024
    runs: list[GoneProcess]


class FoundPlaybook(RuntimeMessage):
    """A playbook in a worker's folders, or a file that cannot be read as one."""

    repository: str = Field(min_length=1, max_length=255)
    name: str = Field(pattern=r"\D", max_length=255)
    folder: str | None = Field(max_length=LONGEST_PATH)
    entrypoint: str = Field(min_length=1, max_length=LONGEST_PATH)
    description: str = Field(default="", max_length=LONGEST_TEXT)
    category: str = ""
    labels: Sequence[str] = ()
    tags: Sequence[str] = ()
    parameter_schema: dict[str, JsonValue] | None = None
    isolation: Literal["fork", "reused"] = "fork"
    restartable: bool = False
    timeout_seconds: float | None = None
    input_schema: dict[str, JsonValue] | None = None
    output_schema: dict[str, JsonValue] | None = None
    error: str = Field(default="", max_length=LONGEST_TEXT)
    digest: str = Field(max_length=255)


class PlaybookReport(RuntimeMessage):
    """What a worker has of playbooks and apps."""

    largest_bytes = LARGEST_REPORT
    digest: str = Field(min_length=1, max_length=255)
    lasting: bool = False
    empty_folders: Sequence[str] = ()
    app_secrets: dict[str, list[str]] | None = Field(default=None, max_length=MOST_PLAYBOOKS)
    playbooks: list[FoundPlaybook] | None = Field(default=None, max_length=MOST_PLAYBOOKS)
    """Left out by a worker that says no more than that it still has them."""


class Deployments(RuntimeMessage):
    """What a worker may be asked to run."""

    largest_bytes = 1024 * 1024
    deployment_ids: list[UUID] = Field(max_length=MOST_PLAYBOOKS)


class HeldSlots(RuntimeMessage):
    """Slots that a run holds in limits of Prefect."""

    largest_bytes = 1024 * 1024
    leases: list[UUID] = Field(max_length=MOST_SLOTS)
