"""Ids in paths."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from prefect_phantom.adapters.errors import NotFound
from prefect_phantom.adapters.rest.request.fields import as_identifier


def path_identifier(
    request: Request, missing: Callable[[str], NotFound], *, name: str = "id"
) -> int:
    """The id that the path has in the place `name`.

    Raises what `missing` makes of a text that is no id: there is nothing at such a path.
    """
    text: str = request.path_params[name]
    identifier = as_identifier(text)
    if identifier is None:
        raise missing(text)
    return identifier
