"""``/rest/asset``: assets, for administrators to make and change. Lists are in `listed.py`."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import FieldMissing, NothingToChange, SecretSetting
from adapters.rest.body import read_object
from adapters.rest.fields import LONGEST_INDEXED, Fields, as_identifier
from adapters.rest.gateway import Gateway
from adapters.rest.openapi.operation import Operation
from adapters.rest.openapi.schemas import FLAG, INDEXED, OBJECT, TEXT, optional
from adapters.rest.path_identifier import path_identifier
from adapters.rest.responses import answer
from adapters.store import assets
from adapters.store.containers import given

CHANGEABLE = ("name", "app", "description", "configuration", "disabled")
SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|(^|[_-])(key|pwd|pat|pin)$"
    r"|(api|access|private|auth|encryption|shared)[_-]?key",
    re.IGNORECASE,
)
"""Names of settings that hold something secret."""
USER_IN_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@", re.IGNORECASE)
"""A URL with a password in it."""


APP = {"description": "An app's id or name", "oneOf": [{"type": "integer", "minimum": 1}, INDEXED]}
BODY = {
    "name": optional(INDEXED),
    "app": optional(APP),
    "description": TEXT,
    "configuration": OBJECT,
    "disabled": FLAG,
}


@Operation(
    body={**BODY, "name": INDEXED, "app": APP},
    required=["name", "app"],
    sent={"name": "whois", "app": "WHOIS"},
    answer={"success": True, "id": 1},
)
async def create(request: Request) -> Response:
    """Make an asset; `name` and `app` are required. Further fields are ignored (our decision)."""
    values = _values(Fields(await read_object(request)))
    for required in ("name", "app"):
        if required not in values:
            raise FieldMissing(required)
    name = str(values.pop("name"))
    made = await assets.create(Gateway.of(request).database, name, values)
    return answer({"success": True, "id": made})


@Operation(body=BODY, sent={"disabled": True}, answer={"success": True, "id": 1})
async def change(request: Request) -> Response:
    """Replace what is named, `configuration` as a whole. Further fields are ignored."""
    asset_id = path_identifier(request, assets.missing)
    values = _values(Fields(await read_object(request)))
    if not values:
        raise NothingToChange("an asset", CHANGEABLE)
    await assets.change(Gateway.of(request).database, asset_id, values)
    return answer({"success": True, "id": asset_id})


def _values(fields: Fields) -> dict[str, object]:
    """What is said of an asset, by column. Raises `BadField` and `SecretSetting`."""
    settings = fields.mapping("configuration")
    if settings is not None:
        _refuse_secrets(settings, "configuration")
    return given(
        {
            "name": fields.filled_text("name", longest=LONGEST_INDEXED),
            "app": _app(fields),
            "description": fields.text("description"),
            "settings": settings,
            "disabled": fields.flag("disabled"),
        }
    )


def _app(fields: Fields) -> int | str | None:
    """An app by its id or name."""
    number = as_identifier(fields.body.get("app"))
    return fields.filled_text("app", longest=LONGEST_INDEXED) if number is None else number


def _refuse_secrets(value: object, path: str) -> None:
    """Raise `SecretSetting` for what would be shown to everybody. Its value is not repeated.

    The depth of a body is limited, so that of this recursion is, too.
    """
    if isinstance(value, dict):
        for name, each in value.items():
            inner = f"{path}.{name}"
            if SECRET.search(name):
                raise SecretSetting(inner)
            _refuse_secrets(each, inner)
    elif isinstance(value, list):
        for each in value:
            _refuse_secrets(each, path)
    elif isinstance(value, str) and USER_IN_URL.match(value):
        raise SecretSetting(path)
