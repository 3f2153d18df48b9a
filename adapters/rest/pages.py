"""Lists: the envelope around them, and which part of them a caller asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import BadField, NoSuchPage
from adapters.rest.fields import as_identifier
from adapters.rest.responses import answer

Item = TypeVar("Item")

PAGE_SIZE = 10
"""Items of a page when none is named; 0 is all (vendor's documentation). Pages count from 0."""


def page(
    request: Request, items: Sequence[Item], render: Callable[[Item], dict[str, object]]
) -> Response:
    """The page of `items` that `request` asks for.

    Raises `NoSuchPage` past the end; the first page is always there, if need be empty.
    """
    number = _parameter(request, "page", 0)
    size = _parameter(request, "page_size", PAGE_SIZE) or max(len(items), 1)
    pages = math.ceil(len(items) / size)
    if number > 0 and number >= pages:
        raise NoSuchPage(number)
    shown = items[number * size : (number + 1) * size]
    return answer(
        {"count": len(items), "num_pages": pages, "data": [render(item) for item in shown]}
    )


def _parameter(request: Request, name: str, default: int) -> int:
    """A number in the query; published clients put it in quotes."""
    text = request.query_params.get(name)
    if text is None:
        return default
    number = as_identifier(text.strip("\"'"))
    if number is None:
        raise BadField(name, text, "an integer of 0 or more")
    return number
