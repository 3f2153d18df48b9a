"""Ids in paths."""

from __future__ import annotations

from starlette.requests import Request

from prefect_phantom.adapters.errors import NotFound, Thing
from prefect_phantom.adapters.rest.request.fields import as_identifier


def path_identifier(request: Request, thing: Thing, *, name: str = "id") -> int:
    """The id of a `thing` that the path has in the place `name`.

    Raises `NotFound` for a text that is no id: there is nothing at such a path.
    """
    text: str = request.path_params[name]
    identifier = as_identifier(text)
    if identifier is None:
        raise NotFound(thing, text)
    return identifier
