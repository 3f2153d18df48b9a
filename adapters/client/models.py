"""What the gateway answers, typed. Fields that are not named here are kept as they came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

Scope: TypeAlias = Literal["all", "new"] | Sequence[int]
"""Which artifacts a run sees: all, those that came since its last run, or these by id."""


def _parameter(value: object) -> object:
    """Older versions send a JSON text where newer ones send the object itself."""
    return json.loads(value) if isinstance(value, str) else value


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class AppRun(_Answer):
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
    parameter: Annotated[dict[str, Any], BeforeValidator(_parameter)] = {}
    per_parameter_status: str = ""
    status: str = ""


class ActionRun(_Answer):
    """One call of an action in a playbook."""

    action: str = ""
    app_runs: list[AppRun] = []
    close_time: datetime | None = None
    create_time: datetime | None = None
    id: int | None = None
    message: str = ""
    status: str = ""
    type: str = ""


class Message(_Answer):
    """The JSON text in the field `message` of a playbook run."""

    message: str = ""
    """Why the run failed, or empty."""
    playbook: str = ""
    """``repository/name``"""
    playbook_run_id: int | None = None
    result: list[ActionRun] = []
    status: str = ""


class PlaybookRun(_Answer):
    """State of one run of a playbook."""

    id: int
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
    action_exec: list[Any] = []
    last_artifact: int | None = None
    """Highest artifact id in the container when the run was accepted."""
    log_level: int | None = None
    test_mode: bool = False
    version: int | str | None = None
    effective_user: int | str | None = None
    ip_address: str | None = None
    inputs: Any = None
    outputs: Any = None
    misc: dict[str, Any] = {}
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


class Playbook(_Answer):
    """A playbook that the gateway knows. The fields that Splunk does not have are optional."""

    id: int
    name: str
    repository: str = ""
    description: str | None = ""
    active: bool = False
    disabled: bool = False
    labels: list[str] = []
    error: str = ""
    """Why it does not import; empty for one that does."""

    @property
    def full_name(self) -> str:
        """Repository and name, as callers write them."""
        return f"{self.repository}/{self.name}" if self.repository else self.name


class Container(_Answer):
    """A case: what happened, with artifacts as its evidence."""

    id: int
    name: str = ""
    label: str = ""
    description: str | None = None
    status: str = ""
    severity: str = ""
    sensitivity: str = ""
    source_data_identifier: str | None = None
    owner: int | None = None
    tags: list[str] = []
    custom_fields: dict[str, Any] = {}
    data: dict[str, Any] = {}
