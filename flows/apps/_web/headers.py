"""Headers of a request or an email, as callers give them."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from prefect_phantom import ActionFailure

Headers = Annotated[
    dict[str, str] | str | None,
    Field(description="Further headers, as an object or as the JSON text of one"),
]

CONNECTION = {
    *("host", "connection", "content-length", "expect", "http2-settings", "keep-alive", "te"),
    *("trailer", "transfer-encoding", "upgrade"),
}
"""Headers that say how a connection is used, or where a request ends."""


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


def request_headers(given: dict[str, str] | str | None) -> dict[str, str]:
    """The headers in `given`, in small letters.

    Raises:
        ActionFailure: it is a text that holds no object, or one of them says how the connection
            is used or where the request ends, which is not for callers to say.

    """
    return {name.lower(): value for name, value in map(_sendable, headers_in(given).items())}


def _sendable(header: tuple[str, str]) -> tuple[str, str]:
    # Many servers read an underscore as a hyphen.
    name = header[0].strip().lower().replace("_", "-")
    if name in CONNECTION or name.startswith("proxy-"):
        raise ActionFailure(f'The header "{header[0]}" is not for callers to give')
    return header
