"""Bodies with one thing to make, or with an array of them (vendor's documentation).

The things of an array are made one after the other, each in a transaction of its own, or those of
one `Group` together. The answer is an array of what each alone would be answered: 200 if at least
one worked, 400 if none did.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import (
    BadBody,
    Invalid,
    NoneWorked,
    NotFound,
    PhantomError,
    Unavailable,
)
from prefect_phantom.adapters.rest.contract.route import Handler
from prefect_phantom.adapters.rest.request.body import read_object_or_array
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.accounts.served_request import part
from prefect_phantom.adapters.store.database.availability import is_outage

Make: TypeAlias = Callable[[Request, dict[str, object]], Awaitable[Mapping[str, object]]]
"""Makes the thing that a body describes and says what is answered. Raises `PhantomError`."""
MOST_ITEMS = 1000
"""Of one array (our decision), since the caller waits for all of them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Things of an array that are made in one transaction.

    Attributes:
        key: What the items of a group have in common; None for an item that stands alone.
        make: Makes them and says of each what is answered, or why there is none.
    """

    key: Callable[[object], Hashable]
    make: Callable[
        [Request, list[object]], Awaitable[Sequence[Mapping[str, object] | PhantomError]]
    ]


def one_or_many(make: Make, group: Group | None = None) -> Handler:
    """A handler that makes what the body describes, once or for each item of its array."""

    @functools.wraps(make)
    async def create(request: Request) -> Response:
        body = await read_object_or_array(request)
        if isinstance(body, dict):
            return answer(await make(request, body))
        if not 0 < len(body) <= MOST_ITEMS:
            raise BadBody(f"must be an object or an array of 1 to {MOST_ITEMS}, not {len(body)}")
        return answer(await _make_all(group or _alone(make), request, body))

    return create


def _alone(make: Make) -> Group:
    async def make_one(request: Request, items: list[object]) -> list[Mapping[str, object]]:
        return [await make(request, as_object(item)) for item in items]

    return Group(lambda _: None, make_one)


async def _make_all(group: Group, request: Request, items: list[object]) -> list[object]:
    results: dict[int, Mapping[str, object]] = {}
    worked = False
    for places in _grouped(items, group.key):
        try:
            with part():
                made = await group.make(request, [items[place] for place in places])
        except (Invalid, NotFound) as error:
            made = [error] * len(places)
        except Exception as error:
            if worked and is_outage(error):
                # The caller must not be told that nothing was accepted.
                raise Unavailable(uncertain=True) from error
            raise
        for place, each in zip(places, made, strict=True):
            results[place] = failed(each) if isinstance(each, PhantomError) else each
        worked = worked or not all(isinstance(each, PhantomError) for each in made)
    in_order = [results[place] for place in range(len(items))]
    if not worked:
        raise NoneWorked([dict(each) for each in in_order])
    return list(in_order)


def _grouped(items: list[object], key: Callable[[object], Hashable]) -> Iterable[list[int]]:
    """The places of the items that belong together, in the order of the first of each."""
    groups: dict[Hashable, list[int]] = {}
    for place, item in enumerate(items):
        common = key(item)
        groups.setdefault(("alone", place) if common is None else common, []).append(place)
    return groups.values()


def as_object(item: object) -> dict[str, object]:
    """An item of an array as the body of its own that it would be. Raises `BadBody`."""
    if not isinstance(item, dict):
        raise BadBody("has an item that is not an object")
    return item


def failed(error: PhantomError) -> dict[str, object]:
    """What stands among results for one that was refused: its envelope, had it come alone."""
    return {"failed": True, "message": str(error), **error.fields}
