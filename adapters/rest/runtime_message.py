"""What is sent to the runtime API."""

from __future__ import annotations

import json
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from adapters.errors import BadBody
from adapters.rest.body import PARSED_HERE_BYTES, parse_object, read_body
from adapters.rest.json_process import JsonProcess

DEEPEST = 200
"""Deepest nesting of what a run may send: results are deeper than requests."""


class RuntimeMessage(BaseModel):
    """A message of a run or a worker. A field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")
    largest_bytes: ClassVar[int] = 64 * 1024
    """Of its body."""


Message = TypeVar("Message", bound=RuntimeMessage)
_process = JsonProcess()


async def read(request: Request, kind: type[Message]) -> Message:
    """The message in the body. Raises `BadBody` and `BodyTooLarge`."""
    raw = await read_body(request, kind.largest_bytes)
    if len(raw) <= PARSED_HERE_BYTES:
        return parse(raw, kind)
    return await _process.call(request.headers.get("authorization"), parse, raw, kind)


def parse(raw: bytes, kind: type[Message]) -> Message:
    """The message in `raw`. Raises `BadBody`."""
    try:
        return kind.model_validate(parse_object(raw, DEEPEST))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadBody(f"does not fit the runtime API: {place}: {first['msg']}") from error


def as_text(value: object) -> str:
    """`value` as the JSON text that is stored, so that nobody has to write it again."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
