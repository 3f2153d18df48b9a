"""Reading what is sent to the runtime API."""

from __future__ import annotations

from starlette.requests import Request

from prefect_phantom.adapters.rest.request.body_reader import BodyReader
from prefect_phantom.adapters.rest.runtime.messages.message import Message, parse

LARGE_AT_ONCE = 8
LARGE_OF_ONE = 2
"""How many large messages are read at once, and of one run, or of all workers."""
_reader = BodyReader(LARGE_AT_ONCE, most_each=LARGE_OF_ONE)


async def read(request: Request, kind: type[Message]) -> Message:
    """The message in the body. Raises what `BodyReader.read` does."""
    sender = request.headers.get("authorization")
    return await _reader.read(request, sender, kind.largest_bytes, parse, kind)
