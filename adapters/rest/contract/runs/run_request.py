"""What a request to start a playbook asks for.

Fields are those of the vendor's page, and `inputs` of later versions. Others are ignored: callers
in the wild send more than the page names (our decision).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from prefect_phantom.adapters.errors import BadBody, BadField, FieldMissing, NotRequested
from prefect_phantom.adapters.rest.openapi.operation import Schema
from prefect_phantom.adapters.rest.openapi.schemas import FILLED, IDENTIFIER, TRUE
from prefect_phantom.adapters.rest.request.body import parse_object
from prefect_phantom.adapters.rest.request.fields import Fields, as_identifier
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts.users import User
from prefect_phantom.adapters.store.starts.run_requests import RunRequest

INPUTS = "an object or a JSON text of one"
SCOPES = '"all", "new" or a list of artifact ids'
PLAYBOOK: Schema = {
    "description": 'A playbook\'s id, its name or "repository/name"',
    "oneOf": [{"type": "integer", "minimum": 1}, FILLED],
}
BODY: dict[str, Schema] = {
    "container_id": IDENTIFIER,
    "playbook_id": PLAYBOOK,
    "playbook_name": {**PLAYBOOK, "description": "A synonym of playbook_id"},
    "scope": {
        "description": SCOPES,
        "oneOf": [{"enum": ["all", "new"]}, {"type": "array", "items": IDENTIFIER}],
    },
    "run": TRUE,
    "inputs": {"description": INPUTS, "type": ["object", "string"]},
}
REQUIRED = ("container_id", "playbook_id", "run")


def read_run_request(
    body: dict[str, object],
    settings: Settings,
    *,
    user: User,
    ip_address: str | None,
    request_id: str | None = None,
    traceparent: str | None = None,
) -> RunRequest:
    """The run that `body` asks for, checked in form. Raises `Invalid`."""
    fields = Fields(body)
    if not fields.asks("run"):
        raise NotRequested("run")
    return RunRequest(
        container_id=fields.required_identifier("container_id"),
        playbook=_playbook(body),
        scope=_scope(body, settings.default_scope),
        inputs=_inputs(body, settings.body_depth),
        owner_id=user.id,
        ip_address=ip_address,
        queue_delay=queue_delay("automation" if user.type == "automation" else "manual", settings),
        request_id=request_id,
        traceparent=traceparent,
    )


def queue_delay(source: Literal["manual", "automation"], settings: Settings) -> timedelta:
    """How much later than they came runs of this source stand in the queue.

    Who starts runs by a password is taken for a person (our decision).
    """
    priorities: list[str] = [*settings.priorities]
    place = priorities.index(source) if source in priorities else len(priorities)
    return timedelta(minutes=settings.priority_minutes * place)


def _playbook(body: dict[str, object]) -> int | str:
    """`playbook_id`, or its synonym `playbook_name`, which callers in the wild send."""
    named = {
        name: _playbook_reference(name, body[name])
        for name in ("playbook_id", "playbook_name")
        if body.get(name) is not None
    }
    if not named:
        raise FieldMissing("playbook_id")
    playbook, *others = named.values()
    if others and others[0] != playbook:
        accepted = f"the same as playbook_id, {playbook!r}, or left out"
        raise BadField("playbook_name", body["playbook_name"], accepted)
    return playbook


def _playbook_reference(name: str, value: object) -> int | str:
    """An id, a name, or ``repository/name``. A string of digits is an id."""
    number = as_identifier(value)
    if number is not None:
        return number
    if isinstance(value, str) and value.strip():
        return value
    raise BadField(name, value, 'a playbook\'s id, its name or "repository/name"')


def _scope(body: dict[str, object], default: str) -> str | list[int]:
    """`scope` as the vendor's page has it; ids may be strings of digits.

    Null is not taken for absent: a caller whose list of artifacts got lost on the way would run
    the playbook on all of them.
    """
    value = body.get("scope", default)
    if isinstance(value, str) and value in {"all", "new"}:
        return value
    if not isinstance(value, list):
        raise BadField("scope", value, SCOPES)
    ids: list[int] = []
    for item in value:
        number = as_identifier(item)
        if number is None:
            raise BadField("scope", value, SCOPES)
        ids.append(number)
    return list(dict.fromkeys(ids))


def _inputs(body: dict[str, object], depth: int) -> dict[str, object] | None:
    """`inputs` as an object, or as a JSON text of one (the vendor's pages show both)."""
    value = body.get("inputs")
    if isinstance(value, str):
        try:
            return parse_object(value, depth=depth)
        except BadBody as error:
            raise BadField("inputs", value, INPUTS) from error
    if value is not None and not isinstance(value, dict):
        raise BadField("inputs", value, INPUTS)
    return value
