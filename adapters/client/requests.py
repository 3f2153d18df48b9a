"""Every request of the contract, for both kinds of client."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import httpx
from pydantic import BaseModel

from prefect_phantom.client.call import REPEAT_SECONDS, Call, Json
from prefect_phantom.client.errors import PhantomRequestError
from prefect_phantom.client.health import Health
from prefect_phantom.client.models import ActionRun, ItemT, LogLine, PlaybookRun, Scope
from prefect_phantom.client.pages import Pages
from prefect_phantom.client.patience import Patience

LOG_PAGE_SIZE = 1000
"""Lines of a page of a log, which are short."""
GATEWAY = "prefect-phantom"
"""The name that a gateway gives itself."""


class _Named(BaseModel):
    name: str = ""


class _Started(BaseModel):
    playbook_run_id: int


class _Cancelled(BaseModel):
    message: str = ""


class _Saved(BaseModel):
    id: int


class _Outcome(BaseModel):
    failed: bool = False
    message: str = ""


class _SavedContainer(_Saved):
    artifacts: list[_Outcome] = []


class _ActionRuns(BaseModel):
    data: list[ActionRun]


def _saved(answer: object) -> int:
    return _Saved.model_validate(answer).id


def _saved_container(answer: dict[str, object]) -> int:
    saved = _SavedContainer.model_validate(answer)
    for place, outcome in enumerate(saved.artifacts, 1):
        if outcome.failed:
            sentence = f"Container {saved.id} was made without its artifact {place}"
            raise PhantomRequestError(httpx.codes.OK, f"{sentence}: {outcome.message}", answer)
    return saved.id


def start_run(
    playbook: int | str, container_id: int, scope: Scope, inputs: Json | None
) -> Call[int]:
    """Start a playbook. By its key a gateway knows it again, should it be sent a second time."""
    body: dict[str, object] = {
        "container_id": container_id,
        "playbook_id": playbook,
        "scope": scope if isinstance(scope, str) else list(scope),
        "run": True,
    }
    if inputs is not None:
        body["inputs"] = dict(inputs)
    return Call(
        method="POST",
        path="/rest/playbook_run",
        body=body,
        headers={"Idempotency-Key": uuid4().hex},
        parse=lambda answer: _Started.model_validate(answer).playbook_run_id,
    )


def is_gateway(repeat_seconds: float) -> Call[bool]:
    """Ask whether this is a gateway, which takes a repeated start for the same one."""
    return Call(
        method="GET",
        path="/",
        parse=lambda answer: _Named.model_validate(answer).name == GATEWAY,
        repeat_seconds=repeat_seconds,
    )


def get(kind: type[ItemT], identifier: int) -> Call[ItemT]:
    """Read one thing."""
    return Call(
        method="GET",
        path=f"/rest/{kind.resource}/{identifier}",
        parse=kind.model_validate,
        repeat_seconds=REPEAT_SECONDS,
    )


def get_run(playbook_run_id: int, patience: Patience) -> Call[PlaybookRun]:
    """Read a run's state while one waits for it, over an outage as long as the wait allows."""
    return get(PlaybookRun, playbook_run_id).repeated(patience.outage_seconds)


def list_actions(playbook_run_id: int, after: int) -> Call[list[ActionRun]]:
    """Read the actions of a run whose id is greater than `after`, in their order."""
    return Call(
        method="GET",
        path=f"/rest/action_run?_filter_playbook_run={playbook_run_id}&_filter_id__gt={after}"
        "&page_size=0&sort=id",
        parse=lambda answer: _ActionRuns.model_validate(answer).data,
        repeat_seconds=REPEAT_SECONDS,
    )


def log_pages(playbook_run_id: int) -> Pages[LogLine]:
    """The pages of a run's log."""
    path = f"/rest/playbook_run/{playbook_run_id}/log"
    return Pages(LogLine, {}, path=path, page_size=LOG_PAGE_SIZE)


def cancel_run(playbook_run_id: int, reason: str | None) -> Call[str]:
    """Cancel a run. Repeated: a second cancel changes nothing."""
    return Call(
        method="POST",
        path=f"/rest/playbook_run/{playbook_run_id}",
        body={"cancel": True} if reason is None else {"cancel": True, "reason": reason},
        parse=lambda answer: _Cancelled.model_validate(answer).message,
        repeat_seconds=REPEAT_SECONDS,
    )


def create_container(name: str, label: str, artifacts: Sequence[Json], fields: Json) -> Call[int]:
    """Make a container. Not repeated: without `source_data_identifier` there would be two.

    An artifact in it that was refused is an error: the container is there without it.
    """
    body = {"name": name, "label": label, **fields}
    if artifacts:
        body["artifacts"] = [dict(artifact) for artifact in artifacts]
    return Call(method="POST", path="/rest/container", body=body, parse=_saved_container)


def create_artifact(container_id: int, name: str, cef: Json, fields: Json) -> Call[int]:
    """Put an artifact into a container. Not repeated, as for containers."""
    body = {"container_id": container_id, "name": name, "cef": dict(cef), **fields}
    return Call(method="POST", path="/rest/artifact", body=body, parse=_saved)


def get_health() -> Call[Health]:
    """Read how the gateway and its parts are."""
    return Call(
        method="GET",
        path="/rest/prefect_phantom/health",
        parse=Health.model_validate,
        repeat_seconds=REPEAT_SECONDS,
    )


def set_playbook_id(playbook_id: int, new_id: int) -> Call[int]:
    """Give a playbook another id. Not repeated: the second would find the old id gone."""
    return Call(
        method="POST", path=f"/rest/playbook/{playbook_id}", body={"id": new_id}, parse=_saved
    )
