"""What is sent to the runtime API."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from adapters.errors import BadBody
from adapters.rest.body import parse_object, read_body

DEEPEST = 200
"""Deepest nesting of what a run may send: results are deeper than requests."""


class RuntimeMessage(BaseModel):
    """A message of a run or a worker. A field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")
    largest_bytes: ClassVar[int] = 64 * 1024 * 1024
    """Of its body: of its results a run leaves out what is far smaller."""


Message = TypeVar("Message", bound=RuntimeMessage)


async def read(request: Request, kind: type[Message]) -> Message:
    """The message in the body. Raises `BadBody` and `BodyTooLarge`."""
    body = parse_object(await read_body(request, kind.largest_bytes), depth=DEEPEST)
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadBody(f"does not fit the runtime API: {place}: {first['msg']}") from error
