"""Request bodies: raw bytes, read as JSON objects whatever the content type says.

The vendor's own curl lines send JSON as a form, and published clients send it without any type.
Refused, each with a sentence that says which rule was broken (our decisions):

- larger than the limit (413), by ``Content-Length`` or as it streams in
- not UTF-8 (a byte order mark is skipped), not JSON, not an object, nested too deeply
- ``NaN``, ``Infinity`` and numbers too large for a double: JSON knows none of them
- integers beyond 64 bits: no id has them, and other programs read them wrongly
- the same key twice in one object: whoever reads the first and the last would disagree
- U+0000 and halves of surrogate pairs in texts: PostgreSQL cannot store them
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request

from adapters.errors import BadBody, BodyTooLarge
from adapters.rest.gateway import Gateway

INTEGERS = range(-(2**63), 2**63)
INTEGER_CHARACTERS = 20
"""The most that a 64-bit integer takes, with its sign."""
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


async def read_object(request: Request) -> dict[str, object]:
    """The JSON object in the body. Raises `BodyTooLarge` and `BadBody`."""
    settings = Gateway.of(request).settings
    return parse_object(await read_body(request, settings.body_limit), depth=settings.body_depth)


async def read_object_or_array(request: Request) -> dict[str, object] | list[object]:
    """The JSON object or array in the body. Raises `BodyTooLarge` and `BadBody`."""
    settings = Gateway.of(request).settings
    content = _parse(await read_body(request, settings.body_limit), settings.body_depth)
    if not isinstance(content, dict | list):
        raise BadBody(f"must be a JSON object or an array of them, not {_kind(content)}")
    _check(content, settings.body_depth)
    return content


def parse_object(raw: bytes | str, *, depth: int) -> dict[str, object]:
    """The JSON object in `raw`, nested at most `depth` levels, itself included.

    Raises `BadBody`, whose reason begins with a verb: it is told of "the request body".
    """
    content = _parse(raw, depth)
    if not isinstance(content, dict):
        raise BadBody(f"must be a JSON object, not {_kind(content)}")
    _check(content, depth)
    return content


def _parse(raw: bytes | str, depth: int) -> object:
    """Any JSON value. Raises `BadBody`; when it is far too deep it says so of `depth`."""
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        content: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise BadBody(f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise BadBody(f"is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise BadBody(_too_deep(depth)) from error
    return content


async def read_body(request: Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes. Raises `BodyTooLarge` and `BadBody`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise BodyTooLarge(limit)
    except ClientDisconnect as error:
        raise BadBody("ended before it was complete") from error
    return bytes(body)


def _check(content: object, depth: int) -> None:
    """Walk through `content` level by level, without recursion of our own."""
    level: list[object] = [content]
    for nesting in itertools.count(1):
        below: list[object] = []
        nested = False
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                nested = True
                for key in value:
                    _check_text(key)
                below.extend(value.values())
            elif isinstance(value, list):
                nested = True
                below.extend(value)
        if not nested:
            return
        if nesting > depth:
            raise BadBody(_too_deep(depth))
        level = below


def _check_text(text: str) -> None:
    found = UNSTORABLE.search(text)
    if found is not None:
        raise BadBody(f"holds the character U+{ord(found.group()):04X}, which cannot be stored")


def _unique(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    content: dict[str, object] = {}
    for key, value in pairs:
        if key in content:
            raise BadBody(f"has the key {json.dumps(key)} twice in one object")
        content[key] = value
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
