"""Bodies with one thing to make, or with an array of them (vendor's documentation).

The things of an array are made one after the other, each in a transaction of its own. The answer
is an array of what each alone would be answered: 200 if at least one worked, 400 if none did.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import BadBody, Invalid, NoneWorked, NotFound, PhantomError, Unavailable
from adapters.rest.body import read_object_or_array
from adapters.rest.resources import Handler
from adapters.rest.responses import answer
from adapters.store.availability import is_outage
from adapters.store.served_request import part

Make: TypeAlias = Callable[[Request, dict[str, object]], Awaitable[Mapping[str, object]]]
"""Makes the thing that a body describes and says what is answered. Raises `PhantomError`."""
MOST_ITEMS = 1000
"""Of one array (our decision), since the caller waits for all of them."""


def one_or_many(make: Make) -> Handler:
    """A handler that makes what the body describes, once or for each item of its array."""

    @functools.wraps(make)
    async def create(request: Request) -> Response:
        body = await read_object_or_array(request)
        if isinstance(body, dict):
            return answer(await make(request, body))
        if not 0 < len(body) <= MOST_ITEMS:
            raise BadBody(f"must be an object or an array of 1 to {MOST_ITEMS}, not {len(body)}")
        return answer(await _make_all(make, request, body))

    return create


async def _make_all(make: Make, request: Request, items: list[object]) -> list[object]:
    results: list[Mapping[str, object]] = []
    worked = False
    for item in items:
        try:
            with part():
                results.append(await make(request, as_object(item)))
            worked = True
        except (Invalid, NotFound) as error:
            results.append(failed(error))
        except Exception as error:
            if worked and is_outage(error):
                # The caller must not be told that nothing was accepted.
                raise Unavailable(uncertain=True) from error
            raise
    if not worked:
        raise NoneWorked([dict(each) for each in results])
    return list(results)


def as_object(item: object) -> dict[str, object]:
    """An item of an array as the body of its own that it would be. Raises `BadBody`."""
    if not isinstance(item, dict):
        raise BadBody("has an item that is not an object")
    return item


def failed(error: PhantomError) -> dict[str, object]:
    """What stands among results for one that was refused: its envelope, had it come alone."""
    return {"failed": True, "message": str(error), **error.fields}
