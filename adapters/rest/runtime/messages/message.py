"""A message of the runtime API."""

from __future__ import annotations

import json
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_phantom.adapters.errors import BadBody
from prefect_phantom.adapters.rest.request.body import parse_object

DEEPEST = 200
"""Deepest nesting of what a run may send: results are deeper than requests."""


class RuntimeMessage(BaseModel):
    """A message of a run or a worker. A field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")
    largest_bytes: ClassVar[int] = 64 * 1024
    """Of its body. A kind that may be larger stands in this folder."""


Message = TypeVar("Message", bound=RuntimeMessage)


def parse(raw: bytes, kind: type[Message]) -> Message:
    """The message in `raw`. Raises `BadBody`."""
    try:
        return kind.model_validate(parse_object(raw, DEEPEST))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadBody(f"does not fit the runtime API: {place}: {first['msg']}") from error


def as_text(value: object) -> str:
    """`value` as the JSON text that is stored, so that nobody has to write it again."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
