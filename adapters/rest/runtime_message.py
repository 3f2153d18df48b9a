"""Reading what is sent to the runtime API."""

from __future__ import annotations

from starlette.requests import Request

from adapters.rest.body import PARSED_HERE_BYTES, read_body
from adapters.rest.json_process import JsonProcess
from adapters.rest.messages.message import Message, parse

_process = JsonProcess()


async def read(request: Request, kind: type[Message]) -> Message:
    """The message in the body. Raises `BadBody` and `BodyTooLarge`."""
    raw = await read_body(request, kind.largest_bytes)
    if len(raw) <= PARSED_HERE_BYTES:
        return parse(raw, kind)
    return await _process.call(request.headers.get("authorization"), parse, raw, kind)
