"""Answers: compact JSON, keys in the order in which they were given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from starlette.responses import Response


def compact(content: object) -> str:
    """`content` as JSON text without spaces, in ASCII, so that no client can misread it."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def answer(
    content: Mapping[str, object] | Sequence[object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON answer."""
    return Response(
        compact(content), status_code=status, headers=headers, media_type="application/json"
    )


def failure(
    message: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    fields: Mapping[str, object] | None = None,
) -> Response:
    """The failed envelope (vendor's page): ``failed`` and ``message``, then further `fields`."""
    return answer({"failed": True, "message": message, **(fields or {})}, status, headers)
