"""Answers: compact JSON, keys in the order in which they were given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from starlette.responses import Response

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def compact(content: object) -> str:
    """`content` as JSON text without spaces, in ASCII, so that no client can misread it."""
    return ENCODER.encode(content)


def plain(of: DataclassInstance) -> dict[str, object]:
    """The fields of `of` as they are."""
    return {each.name: getattr(of, each.name) for each in fields(of)}


def _written(value: object) -> object:
    """How what JSON does not know is written; nothing else is looked at, however large it is."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain(value)
    message = f"{type(value).__name__} has no form in JSON"
    raise TypeError(message)


ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_written)


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
    further: Mapping[str, object] | None = None,
) -> Response:
    """The failed envelope (vendor's page): ``failed`` and ``message``, then `further` fields."""
    return answer({"failed": True, "message": message, **(further or {})}, status, headers)
