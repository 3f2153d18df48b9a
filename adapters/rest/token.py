"""``/rest/ph_user/ID/token``: the tokens of an automation user. No token can be read again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotRequested, NotUpdatable, TokenNotFound
from adapters.rest.body import read_object
from adapters.rest.fields import Fields, as_identifier
from adapters.rest.gateway import Gateway
from adapters.rest.ph_user import time_to_come, user_id
from adapters.rest.responses import answer
from adapters.store import tokens, users


async def create(request: Request) -> Response:
    """Make a further token, which the answer shows, this once; `expire_time` ends it."""
    database = Gateway.of(request).database
    user = await users.read(database, user_id(request))
    body = await read_object(request)
    others = [name for name in body if name != "expire_time"]
    if others:
        raise NotUpdatable(others, "token", "expire_time")
    expire_time = time_to_come(Fields(body), "expire_time")
    token_id, token = await tokens.create(database, user, expire_time=expire_time)
    return answer({"success": True, "id": token_id, "token": token})


async def revoke(request: Request) -> Response:
    """Take a token away, at once on every gateway. Not by DELETE, which no token may send."""
    text: str = request.path_params["token_id"]
    token_id = as_identifier(text)
    if token_id is None:
        raise TokenNotFound(text)
    if not Fields(await read_object(request)).asks("revoke"):
        raise NotRequested("revoke", updating=True)
    await tokens.revoke(Gateway.of(request).database, user_id(request), token_id)
    return answer({"success": True, "id": token_id})
