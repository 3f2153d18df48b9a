"""Values in a form that JSON and PostgreSQL can hold, whatever an action came up with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

LARGEST_INTEGER = 2**63 - 1
DEEPEST = 100
"""Deepest nesting that is kept; the gateway takes no more than 200."""
_unstorable = re.compile("[\0\ud800-\udfff]")


def plain(value: object, *, depth: int = DEEPEST) -> Any:  # noqa: ANN401 - that is what JSON is
    """A copy of `value` out of dictionaries, lists, texts, numbers, booleans and None.

    Nothing is refused, since a result must not be lost for its form: bytes become text, with
    what is not UTF-8 replaced; U+0000 and halves of surrogate pairs are replaced too; NaN and
    infinities become None; integers beyond 64 bits, what is nested deeper than `depth`, and all
    other objects become their text.
    """
    match value:
        case None | bool():
            return value
        case str():
            return _unstorable.sub("\ufffd", value)
        case int():
            return int(value) if -LARGEST_INTEGER <= value <= LARGEST_INTEGER else str(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case bytes() | bytearray():
            return plain(bytes(value).decode(errors="replace"))
        case BaseModel():
            return plain(value.model_dump(), depth=depth)
        case Mapping() if depth > 0:
            items = value.items()
            return {plain(as_text(key)): plain(item, depth=depth - 1) for key, item in items}
        case list() | tuple() | set() | frozenset() if depth > 0:
            return [plain(item, depth=depth - 1) for item in value]
        case _:
            return plain(as_text(value))


def as_text(value: object) -> str:
    """The text of `value`, and of one that fails to tell it what it is."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever its author made of it
        return f"<{type(value).__name__}>"
