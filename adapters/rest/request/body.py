"""Request bodies: raw bytes, read as JSON objects whatever the content type says.

The vendor's own curl lines send JSON as a form, and published clients send it without any type.
Refused, each with a sentence that says which rule was broken (our decisions):

- larger than the limit (413), by ``Content-Length`` or as it streams in
- not UTF-8 (a byte order mark is skipped), not JSON, not an object, nested too deeply
- ``NaN``, ``Infinity`` and numbers too large for a double: JSON knows none of them
- integers beyond 64 bits: no id has them, and other programs read them wrongly
- the same key twice in one object: whoever reads the first and the last would disagree
- U+0000 and halves of surrogate pairs in texts: PostgreSQL cannot store them

Large ones are read by `BodyReader` in their sender's turn, and parsed elsewhere.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from starlette.requests import Request

from prefect_phantom.adapters.errors import BadBody
from prefect_phantom.adapters.rest.request.body_reader import BodyReader

if TYPE_CHECKING:  # the process that parses needs no more than this module
    from prefect_phantom.adapters.settings import Settings

INTEGERS = range(-(2**63), 2**63)
INTEGER_CHARACTERS = 20
"""The most that a 64-bit integer takes, with its sign."""
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
LONG_INTEGER = re.compile("[0-9]{19}")
"""What an integer beyond 64 bits has in it."""
NESTED = frozenset({dict, list})
LARGE_AT_ONCE = 16
LARGE_OF_ONE = 4
"""How many large bodies are read at once, and of one user."""
_reader = BodyReader(LARGE_AT_ONCE, most_each=LARGE_OF_ONE)
Content = TypeVar("Content", dict[str, object], dict[str, object] | list[object])


async def read_object(request: Request) -> dict[str, object]:
    """The JSON object in the body. Raises `BodyTooLarge` and `BadBody`."""
    return await _read(request, parse_object)


async def read_object_or_array(request: Request) -> dict[str, object] | list[object]:
    """The JSON object or array in the body. Raises `BodyTooLarge` and `BadBody`."""
    return await _read(request, parse_object_or_array)


async def _read(request: Request, parse: Callable[[bytes, int], Content]) -> Content:
    settings: Settings = request.scope["gateway"].settings
    limit, depth = settings.body_limit, settings.body_depth
    return await _reader.read(request, request.user.id, limit, parse, depth)


def parse_object(raw: bytes | str, depth: int) -> dict[str, object]:
    """The JSON object in `raw`, nested at most `depth` levels, itself included.

    Raises `BadBody`, whose reason begins with a verb: it is told of "the request body".
    """
    content = _parse(raw, depth)
    if not isinstance(content, dict):
        raise BadBody(f"must be a JSON object, not {_kind(content)}")
    return content


def parse_object_or_array(raw: bytes, depth: int) -> dict[str, object] | list[object]:
    """The JSON object or array in `raw`, nested at most `depth` levels. Raises `BadBody`."""
    content = _parse(raw, depth)
    if not isinstance(content, dict | list):
        raise BadBody(f"must be a JSON object or an array of them, not {_kind(content)}")
    return content


def _parse(raw: bytes | str, depth: int) -> object:
    """Any JSON value, nested at most `depth` levels. Raises `BadBody`."""
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        content: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            # A function for each integer takes ten times as long as the integer.
            parse_int=_integer if LONG_INTEGER.search(text) else None,
        )
    except UnicodeDecodeError as error:
        raise BadBody(f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadBody(f"is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise BadBody(_too_deep(depth)) from error
    # What cannot be stored can only be written as an escape: it is no UTF-8, or no JSON.
    _check(content, depth, texts="\\u" in text or isinstance(raw, str))
    return content


def _check(content: object, depth: int, *, texts: bool) -> None:
    """Walk through `content` level by level, without recursion of our own."""
    level = [content] if isinstance(content, dict | list) else []
    nesting = 0
    while level:
        nesting += 1
        if nesting > depth:
            raise BadBody(_too_deep(depth))
        if texts:
            _check_texts(level)
        parts = [each.values() if isinstance(each, dict) else each for each in level]
        level = [value for part in parts for value in part if type(value) in NESTED]


def _check_texts(level: Iterable[dict[str, object] | list[object]]) -> None:
    for nested in level:
        keys, values = (nested, nested.values()) if isinstance(nested, dict) else ((), nested)
        for value in itertools.chain(keys, values):
            if isinstance(value, str):
                _check_text(value)


def _check_text(text: str) -> None:
    found = UNSTORABLE.search(text)
    if found is not None:
        raise BadBody(f"holds the character U+{ord(found.group()):04X}, which cannot be stored")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise BadBody(f"has the key {json.dumps(twice)} twice in one object")
    return content


def _no_constant(name: str) -> NoReturn:
    raise BadBody(f"is not JSON: {name} is not a number")


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_CHARACTERS or int(digits) not in INTEGERS:
        raise BadBody(f"holds an integer of more than 64 bits: {digits[:30]}")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadBody(f"holds a number that is too large: {digits[:30]}")
    return number


def _too_deep(depth: int) -> str:
    return f"is nested deeper than {depth} levels"


def _kind(content: object) -> str:
    """The name that JSON has for the type of `content`."""
    if content is None or isinstance(content, bool):
        return json.dumps(content)
    if isinstance(content, list):
        return "an array"
    return "a string" if isinstance(content, str) else "a number"
