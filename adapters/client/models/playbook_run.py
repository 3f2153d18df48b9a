"""Runs of playbooks, and what their actions did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError

from prefect_phantom.client.models.answer import Answer, Item

Scope: TypeAlias = Literal["all", "new"] | Sequence[int]
"""Which artifacts a run sees: all, those that came since its last run, or these by id."""


def _parameter(value: object) -> object:
    """Older versions send a JSON text where newer ones send the object itself."""
    return json.loads(value) if isinstance(value, str) else value


class AppRun(Answer):
    """One parameter set of an action, carried out on one asset."""

    action: str = ""
    action_run_id: int | None = None
    app: str = ""
    """Name of the app, as newer versions call it."""
    app_message: str = ""
    """What the app found, in words."""
    app_name: str = ""
    app_run_id: int | None = None
    asset_name: str = ""
    parameter: Annotated[dict[str, Any], BeforeValidator(_parameter)] = Field(default_factory=dict)
    per_parameter_status: str = ""
    status: str = ""


class ActionRun(Item):
    """One call of an action in a playbook, or one map of it."""

    resource: ClassVar[str] = "action_run"
    id: int = 0
    """0 in results of an older Phantom, which have none."""
    action: str = ""
    name: str = ""
    app_name: str = ""
    type: str = ""
    status: str = ""
    """``running``, ``success`` or ``failed``."""
    message: str = ""
    create_time: datetime | None = None
    close_time: datetime | None = None
    playbook_run: int | None = None
    """In lists; not in a run's results."""
    container: int | None = None
    """As `playbook_run`."""
    app_runs: list[AppRun] = Field(default_factory=list)
    """What it did by parameter set and asset; in a run's results, and not in lists."""

    @property
    def running(self) -> bool:
        """The action has not ended."""
        return self.status == "running"


class Message(Answer):
    """The JSON text in the field `message` of a playbook run."""

    message: str = ""
    """Why the run failed, or empty."""
    playbook: str = ""
    """``repository/name``"""
    playbook_run_id: int | None = None
    result: list[ActionRun] = Field(default_factory=list)
    status: str = ""


class PlaybookRun(Item):
    """State of one run of a playbook."""

    resource: ClassVar[str] = "playbook_run"
    playbook: int
    container: int
    status: str
    """``running``, ``success`` or ``failed``."""
    cancelled: str = ""
    """Why it was cancelled; empty when it was not. Filled while the cancel is carried out."""
    message: str = ""
    """Results as the JSON text that came; see `results`."""
    start_time: datetime | None = None
    update_time: datetime | None = None
    owner: int | None = None
    """Id of the user who started it."""
    action_exec: list[Any] = Field(default_factory=list)
    last_artifact: int | None = None
    """Highest artifact id in the container when the run was accepted."""
    log_level: int | None = None
    test_mode: bool = False
    version: int | str | None = None
    effective_user: int | str | None = None
    ip_address: str | None = None
    inputs: Any = None
    outputs: Any = None
    misc: dict[str, Any] = Field(default_factory=dict)
    """Further facts: `scope`, and from prefect-phantom `flow_run_id`, `worker`, `process_id`."""
    node_guid: str | None = None
    parent_run: int | None = None
    playbook_run_batch: str | None = None

    @property
    def running(self) -> bool:
        """The run has not ended."""
        return self.status == "running"

    @property
    def succeeded(self) -> bool:
        """The run ended well."""
        return self.status == "success"

    @property
    def was_cancelled(self) -> bool:
        """The run ended because somebody cancelled it."""
        return self.status == "failed" and bool(self.cancelled)

    @cached_property
    def report(self) -> Message:
        """`message`, parsed. Text in any other form becomes the report's own `message`."""
        try:
            return Message.model_validate_json(self.message)
        except ValidationError:
            return Message(message=self.message.strip(), status=self.status)

    @property
    def results(self) -> list[ActionRun]:
        """What each action did, in order."""
        return self.report.result
