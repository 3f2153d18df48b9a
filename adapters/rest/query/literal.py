"""Values in queries: Python or JSON literals, or text as it stands.

``"x"`` and ``'x'`` are the text x, ``True`` and ``true`` the same boolean, ``[1, 2]`` and
``(1, 2)`` the same list. What is no literal, such as ``2018-01-01`` or ``O'Brien``, is a text too.
"""

from __future__ import annotations

import math
import re

from prefect_phantom.adapters.errors import BadQuery
from prefect_phantom.adapters.rest.request.body import UNSTORABLE
from prefect_phantom.adapters.store.listing.request import Given

LONGEST_VALUE = 8192
DEEPEST = 8
LONGEST_NUMBER = 40
CONSTANTS = {
    "True": True, "true": True, "False": False, "false": False, "None": None, "null": None,
}  # fmt: skip
_PART = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    |(?P<word>[A-Za-z]+)
    |(?P<mark>[\[\](){},:])
    |(?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "'": "'"}
_ESCAPED |= {"\\": "\\", "/": "/"}


class _NoLiteral(Exception):
    """The text is no literal."""


def read_literal(text: str) -> Given:
    """What `text` stands for.

    Raises:
        BadQuery: it is too long or nested too deeply, a quote is not closed, or it holds a
            character that cannot be stored.
    """
    if len(text) > LONGEST_VALUE:
        raise BadQuery(f"has a value of more than {LONGEST_VALUE} characters")
    try:
        reader = _Reader(text)
        content = reader.value(DEEPEST)
        reader.expect("end")
    except _NoLiteral as error:
        stripped = text.strip()
        if stripped[:1] in {'"', "'"}:
            raise BadQuery(f"has a value whose quotes do not match: {stripped[:80]}") from error
        content = text
    for part in (text, *_texts(content)):
        if found := UNSTORABLE.search(part):
            raise BadQuery(f"holds the character U+{ord(found.group()):04X}")
    return Given(text, content)


class _Reader:
    """Reads part by part. Raises `_NoLiteral` at what does not fit."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._kind = self._part = ""
        self._next()

    def _next(self) -> None:
        found = _PART.match(self._text, self._place)
        if found is None or found.lastgroup is None:
            raise _NoLiteral
        self._kind, self._part, self._place = found.lastgroup, found[found.lastgroup], found.end()

    def expect(self, kind: str, part: str | None = None) -> None:
        if self._kind != kind or part not in {None, self._part}:
            raise _NoLiteral
        if kind != "end":
            self._next()

    def value(self, depth: int) -> object:
        kind, part = self._kind, self._part
        if kind == "text":
            self._next()
            return _unescaped(part[1:-1])
        if kind == "number" and len(part) <= LONGEST_NUMBER:
            self._next()
            return int(part) if part.lstrip("+-").isdigit() else _finite(part)
        if kind == "word" and part in CONSTANTS:
            self._next()
            return CONSTANTS[part]
        if kind == "mark" and part in _CLOSING and depth:
            self._next()
            if part == "{":
                return dict(self._pairs(depth - 1))
            items, comma = self._items(_CLOSING[part], depth - 1)
            # As in Python, round brackets around one value make a list by a comma only.
            return items[0] if part == "(" and len(items) == 1 and not comma else items
        raise _NoLiteral

    def _items(self, closing: str, depth: int) -> tuple[list[object], bool]:
        """The items before `closing`, and whether a comma follows the last one."""
        items: list[object] = []
        comma = False
        while not self._at(closing):
            items.append(self.value(depth))
            comma = self._at(",")
            if comma:
                self._next()
            elif not self._at(closing):
                raise _NoLiteral
        self._next()
        return items, comma

    def _pairs(self, depth: int) -> list[tuple[str, object]]:
        pairs: list[tuple[str, object]] = []
        while not self._at("}"):
            key = self.value(0)
            if not isinstance(key, str):
                raise _NoLiteral
            self.expect("mark", ":")
            pairs.append((key, self.value(depth)))
            if self._at(","):
                self._next()
            elif not self._at("}"):
                raise _NoLiteral
        self._next()
        return pairs

    def _at(self, mark: str) -> bool:
        return self._kind == "mark" and self._part == mark


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NoLiteral
    return number


def _unescaped(text: str) -> str:
    """JSON's escapes replaced. Any other stays: one client escapes quotes only, also in patterns.

    Two halves of a surrogate pair become their character.
    """
    replaced = _ESCAPE.sub(_character, text)
    return replaced.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _character(found: re.Match[str]) -> str:
    code, character = found.groups()
    return chr(int(code, 16)) if code else _ESCAPED.get(character, found[0])


def _texts(content: object) -> list[str]:
    match content:
        case str():
            return [content]
        case list():
            return [text for item in content for text in _texts(item)]
        case dict():
            return [text for pair in content.items() for item in pair for text in _texts(item)]
        case _:
            return []
