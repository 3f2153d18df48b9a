"""What can be asked of JSON: of all of it, or of what stands under a path of keys."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Text, and_, case, cast, func, literal, or_
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from prefect_phantom.adapters.errors import BadFilter
from prefect_phantom.adapters.store.listing.field import Kind
from prefect_phantom.adapters.store.listing.fitting import LONGEST_INTEGER
from prefect_phantom.adapters.store.listing.lookups import (
    compare,
    flag,
    is_textual,
    several,
    textual,
)
from prefect_phantom.adapters.store.listing.request import Given

Value = ColumnElement[Any]


class Document:
    """A JSON value, and in it the place that `keys` lead to."""

    def __init__(self, value: Value, keys: Sequence[str]) -> None:
        self.whole: Value = value if isinstance(value.type, JSONB) else cast(value, JSONB)
        self.keys = list(keys)
        path = literal(self.keys, ARRAY(Text))
        self.value: Value = self.whole.op("#>", return_type=JSONB())(path)
        self.text: Value = self.whole.op("#>>", return_type=Text())(path)

    def compare(self, parameter: str, lookup: str, given: Given) -> ColumnElement[bool]:
        """The condition that what is there passes the lookup. Raises `BadFilter`."""
        content = given.content
        if lookup == "isnull":
            return self.text.is_(None) if flag(parameter, given) else self.text.is_not(None)
        if lookup == "exact":
            return self._equals(given)
        if lookup == "in":
            return or_(*(self._equals(item) for item in several(parameter, lookup, given)))
        if lookup == "contains":
            return self._contains(parameter, given)
        if is_textual(lookup):
            return textual(parameter, self.text, lookup, given)
        if lookup == "range":
            first, last = several(parameter, lookup, given)
            return and_(self.compare(parameter, "gte", first), self.compare(parameter, "lte", last))
        if isinstance(content, bool) or not isinstance(content, str | int | float):
            raise BadFilter(parameter, given.text, "a number or a text")
        if isinstance(content, str):
            return compare(parameter, Kind.TEXT, self._only("string", self.text), lookup, given)
        number = cast(self._only("number", self.text), Numeric)
        bound = literal(Decimal(str(content)), Numeric)
        return {
            "gt": number > bound,
            "gte": number >= bound,
            "lt": number < bound,
            "lte": number <= bound,
        }[lookup]

    def _equals(self, given: Given) -> ColumnElement[bool]:
        """Equal as JSON, or written alike: ``443`` and ``"443"`` find each other.

        It is asked as containment, which has an index, wherever that is the same.
        """
        content = given.content
        if content is None:
            return self.text.is_(None)
        alike = [content]
        if not isinstance(content, list | dict):
            alike = [given.text if not isinstance(content, str) else content, _number(content)]
        if not self.keys or isinstance(content, list | dict) or self._indexes:
            return or_(*(self.value == _json(each) for each in alike if each is not None))
        return or_(*(self._holds(each) for each in alike if each is not None))

    def _holds(self, content: object) -> ColumnElement[bool]:
        nested = content
        for key in reversed(self.keys):
            nested = {key: nested}
        return self.whole.op("@>", is_comparison=True)(_json(nested))

    def _contains(self, parameter: str, given: Given) -> ColumnElement[bool]:
        """A list holds the item or items, an object the keys, a text under a key the text."""
        content = given.content
        alike = [content]
        if not isinstance(content, list | dict | str):
            alike.append(given.text)
        conditions: list[ColumnElement[bool]] = [
            self.value.op("@>", is_comparison=True)(_json(each)) for each in alike
        ]
        if self.keys and not isinstance(content, list | dict):
            string = self._only("string", self.text)
            conditions.append(textual(parameter, string, "contains", given))
        return or_(*conditions)

    @property
    def _indexes(self) -> bool:
        """Whether a key may be the place in a list."""
        return any(key.isdecimal() for key in self.keys)

    def _only(self, type_: str, value: Value) -> Value:
        # A CASE, since PostgreSQL may evaluate the parts of an AND in any order.
        return case((func.jsonb_typeof(self.value) == type_, value))


def _number(content: object) -> object:
    """What a text in quotes stands for as a number or boolean, if it does; others as they are."""
    if not isinstance(content, str):
        return content
    if content in {"true", "false"}:
        return content == "true"
    try:
        short = len(content) <= LONGEST_INTEGER and content.isascii()
        return int(content) if short else None
    except ValueError:
        return None


def _json(content: object) -> Value:
    return literal(content, JSONB)
