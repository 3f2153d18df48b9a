"""Every request of the contract, for both kinds of client."""

from __future__ import annotations

from uuid import uuid4

from pydantic import BaseModel

from adapters.client.call import Call, Json
from adapters.client.health import Health
from adapters.client.models import Container, Playbook, PlaybookRun, Scope

REPEAT_SECONDS = 2.0
"""How long a request that may be sent twice is repeated over a broken connection."""


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


class _Playbooks(BaseModel):
    data: list[Playbook]


def _saved(answer: object) -> int:
    return _Saved.model_validate(answer).id


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


def get_run(playbook_run_id: int, repeat_seconds: float = REPEAT_SECONDS) -> Call[PlaybookRun]:
    """Read a run's state."""
    return Call(
        method="GET",
        path=f"/rest/playbook_run/{playbook_run_id}",
        parse=PlaybookRun.model_validate,
        repeat_seconds=repeat_seconds,
    )


def cancel_run(playbook_run_id: int, reason: str | None) -> Call[str]:
    """Cancel a run. Repeated: a second cancel changes nothing."""
    return Call(
        method="POST",
        path=f"/rest/playbook_run/{playbook_run_id}",
        body={"cancel": True} if reason is None else {"cancel": True, "reason": reason},
        parse=lambda answer: _Cancelled.model_validate(answer).message,
        repeat_seconds=REPEAT_SECONDS,
    )


def create_container(fields: Json) -> Call[int]:
    """Make a container. Not repeated: without `source_data_identifier` there would be two."""
    return Call(method="POST", path="/rest/container", body=fields, parse=_saved)


def create_artifact(fields: Json) -> Call[int]:
    """Put an artifact into a container. Not repeated, as for containers."""
    return Call(method="POST", path="/rest/artifact", body=fields, parse=_saved)


def get_container(container_id: int) -> Call[Container]:
    """Read a container."""
    return Call(
        method="GET",
        path=f"/rest/container/{container_id}",
        parse=Container.model_validate,
        repeat_seconds=REPEAT_SECONDS,
    )


def list_playbooks() -> Call[list[Playbook]]:
    """Read every playbook that the gateway knows."""
    return Call(
        method="GET",
        path="/rest/playbook?page_size=0",
        parse=lambda answer: _Playbooks.model_validate(answer).data,
        repeat_seconds=REPEAT_SECONDS,
    )


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
