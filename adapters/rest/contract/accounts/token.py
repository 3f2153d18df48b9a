"""``/rest/ph_user/ID/token``: the tokens of an automation user. No token can be read again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import NotRequested
from prefect_phantom.adapters.rest.contract.accounts.ph_user import time_to_come
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import TIME, TRUE
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.accounts import tokens, users


@Operation(body={"expire_time": TIME}, sent={}, answer={"success": True, "id": 3, "token": "..."})
async def create(request: Request) -> Response:
    """Make a further token, which the answer shows, this once; `expire_time` ends it."""
    database = Gateway.of(request).database
    user = await users.read(database, path_identifier(request, "User"))
    fields = Fields(await read_object(request))
    fields.refuse_others(["expire_time"], "token")
    expire_time = time_to_come(fields, "expire_time")
    token_id, token = await tokens.create(database, user, expire_time=expire_time)
    return answer({"success": True, "id": token_id, "token": token})


@Operation(
    body={"revoke": TRUE},
    required=["revoke"],
    sent={"revoke": True},
    answer={"success": True, "id": 3},
)
async def revoke(request: Request) -> Response:
    """Take a token away, at once on every gateway. Not by DELETE, which no token may send."""
    token_id = path_identifier(request, "Token", name="token_id")
    if not Fields(await read_object(request)).asks("revoke"):
        raise NotRequested("revoke", updating=True)
    await tokens.revoke(Gateway.of(request).database, path_identifier(request, "User"), token_id)
    return answer({"success": True, "id": token_id})
