"""Headers of a request or an email, as callers give them."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from flows import ActionFailure

Headers = Annotated[
    dict[str, str] | str | None,
    Field(description="Further headers, as an object or as the JSON text of one"),
]


def headers_in(given: dict[str, str] | str | None) -> dict[str, str]:
    """The headers in `given`. Raises `ActionFailure` when it is a text that holds no object."""
    if not given:
        return {}
    if isinstance(given, dict):
        return given
    try:
        found = json.loads(given)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ActionFailure("The headers are not the JSON text of an object")
    return {name: str(value) for name, value in found.items()}
