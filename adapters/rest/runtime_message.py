"""What is sent to the runtime API: its form, and how its senders show who they are."""

from __future__ import annotations

import hmac
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from adapters.errors import BadBody, Unauthenticated
from adapters.rest.body import parse_object, read_body

LARGEST_BYTES = 64 * 1024 * 1024
"""Largest body that a run may send: of its results it leaves out what is far smaller."""
DEEPEST = 200
"""Deepest nesting of what a run may send: results are deeper than requests."""


class RuntimeMessage(BaseModel):
    """A message of a run or a worker. A field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


Message = TypeVar("Message", bound=RuntimeMessage)


async def read(request: Request, kind: type[Message]) -> Message:
    """The message in the body. Raises `BadBody` and `BodyTooLarge`."""
    body = parse_object(await read_body(request, LARGEST_BYTES), depth=DEEPEST)
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadBody(f"does not fit the runtime API: {place}: {first['msg']}") from error


def bearer(request: Request) -> str:
    """The token or key that is shown. Raises `Unauthenticated` when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(Unauthenticated.MISSING)
    return token


def require_key(request: Request) -> None:
    """Raise `Unauthenticated` unless the key of gateway and workers is shown."""
    key = request.app.state.settings.runtime_key
    expected = key.get_secret_value() if key else ""
    if not expected or not hmac.compare_digest(bearer(request).encode(), expected.encode()):
        raise Unauthenticated(Unauthenticated.BAD_AUTOMATION)
