"""``/rest/ph_user``: make an automation user with its token, and read a user."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import BadField, FieldMissing, UserNotFound
from adapters.rest.body import read_object
from adapters.rest.fields import Fields, as_identifier
from adapters.rest.gateway import Gateway, require_administrator
from adapters.rest.responses import answer
from adapters.store import tokens, users

LONGEST_NAME = 150


async def create(request: Request) -> Response:
    """Make an automation user; for administrators. The answer shows the token, this once."""
    require_administrator(request)
    fields = Fields(await read_object(request))
    username = fields.filled_text("username", longest=LONGEST_NAME)
    if username is None:
        raise FieldMissing("username")
    # Basic credentials end the name at the first colon, and names are printed in logs.
    if ":" in username or not username.isprintable():
        raise BadField("username", username, "printable characters without a colon")
    kind = fields.text("type")
    if kind != "automation":
        raise BadField("type", kind, '"automation"')
    user_id, token = await tokens.create_automation_user(Gateway.of(request).database, username)
    return answer({"success": True, "id": user_id, "token": token})


async def show(request: Request) -> Response:
    """One user, with the fields that published clients read."""
    text: str = request.path_params["id"]
    user_id = as_identifier(text)
    if user_id is None:
        raise UserNotFound(text)
    user = await users.read(Gateway.of(request).database, user_id)
    return answer({"id": user.id, "username": user.username, "type": user.type})
