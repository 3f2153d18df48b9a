"""``/rest/role``: roles and their permissions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.errors import BadField, FieldMissing
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import FILLED, TEXT, TRUE
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import Fields, as_identifier
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.accounts import roles

LONGEST_NAME = 150
CHANGEABLE = ("description", "permissions", "delete")
PERMISSIONS = {"type": "array", "items": {"enum": list(Permission)}}


@Operation(
    body={
        "name": {**FILLED, "maxLength": LONGEST_NAME},
        "permissions": PERMISSIONS,
        "description": TEXT,
    },
    required=["name", "permissions"],
    sent={"name": "night shift", "permissions": ["view", "cancel"]},
    answer={"success": True, "id": 6},
)
async def create(request: Request) -> Response:
    """Make a role; `name` and `permissions` are required."""
    body = await read_object(request)
    fields = Fields(body)
    name = fields.filled_text("name", longest=LONGEST_NAME)
    if name is None:
        raise FieldMissing("name")
    # A role is named by its id or by its name.
    if not name.isprintable() or as_identifier(name) is not None:
        raise BadField("name", name, "printable characters, not only digits")
    permissions = _permissions(fields)
    if permissions is None:
        raise FieldMissing("permissions")
    description = fields.text("description") or ""
    role_id = await roles.create(Gateway.of(request).database, name, description, permissions)
    return answer({"success": True, "id": role_id})


@Operation(
    body={"description": TEXT, "permissions": PERMISSIONS, "delete": TRUE},
    sent={"permissions": ["view"]},
    answer={"success": True, "id": 6},
)
async def change(request: Request) -> Response:
    """Change a role's description or permissions, or delete it with ``"delete": true``."""
    database, role_id = Gateway.of(request).database, path_identifier(request, "Role")
    fields = Fields(await read_object(request))
    fields.refuse_others(CHANGEABLE, "role")
    if fields.asks("delete"):
        await roles.remove(database, role_id)
    else:
        await roles.change(
            database,
            role_id,
            description=fields.text("description"),
            permissions=_permissions(fields),
        )
    return answer({"success": True, "id": role_id})


def _permissions(fields: Fields) -> list[Permission] | None:
    named = fields.texts("permissions")
    try:
        return None if named is None else [Permission(each) for each in named]
    except ValueError as error:
        raise BadField("permissions", named, f"a list of {', '.join(Permission)}") from error
