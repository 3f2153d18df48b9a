"""Reading the bodies of requests, large ones in turn and with another process."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AsyncExitStack
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from prefect_phantom.adapters.between.fair_semaphore import FairSemaphore
from prefect_phantom.adapters.errors import BadBody, BodyTooLarge
from prefect_phantom.adapters.rest.request.json_process import JsonProcess

PARSED_HERE_BYTES = 64 * 1024
"""Bodies up to this size are parsed where they are read, which takes milliseconds."""
MOST_WAITING = 100
WAIT_SECONDS = 20.0
"""How many large bodies may wait for their turn, and how long each."""
Content = TypeVar("Content")


class BodyReader:
    """Reads bodies; of large ones so many `at_once`, since each is kept until it is parsed.

    Of one sender there are at most `most_each`, who might send as slowly as is allowed. They are
    parsed by a `JsonProcess`: whoever parses holds Python's lock, so nobody else would be served.
    """

    def __init__(self, at_once: int, *, most_each: int) -> None:
        self._turns = FairSemaphore(
            at_once, most_waiting=MOST_WAITING, seconds=WAIT_SECONDS, most_each=most_each
        )
        self._process = JsonProcess()

    async def read(
        self,
        request: Request,
        sender: Hashable,
        limit: int,
        parse: Callable[..., Content],
        *arguments: object,
    ) -> Content:
        """What `parse` returns for the body, of at most `limit` bytes, and `arguments`.

        Raises:
            BodyTooLarge: it has more bytes.
            BadBody: it ended too early, or `parse` raised this.
            TooMany: too many large ones are read.
            BodyNotRead: the process that parses did not answer.
        """
        async with AsyncExitStack() as held:
            body = bytearray()
            announced = request.headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > limit:
                raise BodyTooLarge(limit)
            try:
                async for chunk in request.stream():
                    size = len(body) + len(chunk)
                    if size > limit:
                        raise BodyTooLarge(limit)
                    if len(body) <= PARSED_HERE_BYTES < size:
                        await held.enter_async_context(self._turns.place(sender))
                    body += chunk
            except ClientDisconnect as error:
                raise BadBody("ended before it was complete") from error
            if len(body) <= PARSED_HERE_BYTES:
                return parse(bytes(body), *arguments)
            return await self._process.call(parse, bytes(body), *arguments)
