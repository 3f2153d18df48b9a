"""What can be asked of a value: ``exact``, ``icontains``, ``gt`` and their kind, as SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Text,
    Time,
    cast,
    extract,
    func,
    literal,
    not_,
    or_,
)
from sqlalchemy.types import TypeEngine

from prefect_phantom.adapters.errors import BadFilter
from prefect_phantom.adapters.store.listing.field import Kind
from prefect_phantom.adapters.store.listing.fitting import boolean, fit, items
from prefect_phantom.adapters.store.listing.request import PATTERNS, Given

LONGEST_PATTERN = 200
"""Characters of a regular expression. PostgreSQL evaluates it, within the time of a list."""
BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
"""With one of these PostgreSQL tries all the ways in which the rest can match, else never."""
MOST_ITEMS = 1000
RANGE_ENDS = 2
"""Values that ``range`` takes: the first and the last."""
"""Items of a list in a filter."""

Value = ColumnElement[Any]
_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.INTEGER: BigInteger(),
    Kind.TEXT: Text(),
    Kind.BOOLEAN: Boolean(),
    Kind.TIME: DateTime(timezone=True),
    Kind.DATE: Date(),
    Kind.CLOCK: Time(),
}
_TEXT: Mapping[str, Callable[[Value, str], ColumnElement[bool]]] = {
    "iexact": lambda value, text: func.lower(value) == func.lower(text),
    "contains": lambda value, text: value.contains(text, autoescape=True),
    "icontains": lambda value, text: value.icontains(text, autoescape=True),
    "startswith": lambda value, text: value.startswith(text, autoescape=True),
    "istartswith": lambda value, text: value.istartswith(text, autoescape=True),
    "endswith": lambda value, text: value.endswith(text, autoescape=True),
    "iendswith": lambda value, text: value.iendswith(text, autoescape=True),
    "regex": lambda value, text: value.regexp_match(text),
    "iregex": lambda value, text: value.regexp_match(text, flags="i"),
}
_ORDER: Mapping[str, Callable[[Value, Value], ColumnElement[bool]]] = {
    "exact": lambda value, other: value == other,
    "gt": lambda value, other: value > other,
    "gte": lambda value, other: value >= other,
    "lt": lambda value, other: value < other,
    "lte": lambda value, other: value <= other,
}
_CLOCK_PARTS = ("hour", "minute", "second")
PARTS = (
    *("date", "time", "year", "iso_year", "quarter", "month", "week", "day"),
    *("week_day", "iso_week_day", *_CLOCK_PARTS),
)
"""Parts of a time, as Django has them: ``week_day`` 1 is Sunday, ``iso_week_day`` 1 Monday."""
_EXTRACTED = {"iso_year": "isoyear", "iso_week_day": "isodow"}


def names(kind: Kind) -> list[str]:
    """The lookups of values of this kind."""
    if kind is Kind.BOOLEAN:
        return ["exact", "in", "isnull"]
    every = [*_ORDER, "range", "in", "isnull"]
    if kind in {Kind.TEXT, Kind.JSON}:
        every += _TEXT
    if kind is Kind.TIME:
        every += PARTS
    return every


def part(value: Value, name: str) -> tuple[Kind, Value]:
    """One of the `PARTS` of a time."""
    if name == "date":
        return Kind.DATE, cast(value, Date)
    if name == "time":
        return Kind.CLOCK, cast(value, Time)
    if name == "week_day":
        return Kind.INTEGER, cast(extract("dow", value), Integer) + 1
    # Rounded down: seconds have fractions.
    return Kind.INTEGER, cast(func.floor(extract(_EXTRACTED.get(name, name), value)), Integer)


def compare(
    parameter: str, kind: Kind, value: Value, lookup: str, given: Given
) -> ColumnElement[bool]:
    """The condition that `value` passes the lookup, one of `names`. Not for JSON.

    Raises:
        BadFilter: what was given does not fit.
    """
    if lookup == "isnull":
        return value.is_(None) if flag(parameter, given) else value.is_not(None)
    if lookup == "exact" and given.content is None:
        return value.is_(None)
    if lookup in {"in", "range"}:
        return _within(parameter, kind, value, lookup, given)
    if lookup in _TEXT:
        return textual(parameter, value, lookup, given)
    return _ORDER[lookup](value, _literal(parameter, kind, given))


def textual(parameter: str, value: Value, lookup: str, given: Given) -> ColumnElement[bool]:
    """The condition that a text passes a lookup that only texts have. Raises `BadFilter`."""
    text = str(_fit(parameter, Kind.TEXT, given))
    if lookup in PATTERNS and len(text) > LONGEST_PATTERN:
        accepted = f"a regular expression of at most {LONGEST_PATTERN} characters"
        raise BadFilter(parameter, given.text, accepted)
    if lookup in PATTERNS and BACK_REFERENCE.search(text):
        accepted = "a regular expression without back-references"
        raise BadFilter(parameter, given.text, accepted)
    return _TEXT[lookup](value, text)


def is_textual(lookup: str) -> bool:
    """Whether only texts have this lookup."""
    return lookup in _TEXT


def flag(parameter: str, given: Given) -> bool:
    """What ``isnull`` is compared with. Raises `BadFilter`."""
    try:
        return boolean(given)
    except ValueError as error:
        raise BadFilter(parameter, given.text, Kind.BOOLEAN.value) from error


def several(parameter: str, lookup: str, given: Given) -> list[Given]:
    """The items for ``in``, or the two ends for ``range``. Raises `BadFilter`."""
    try:
        found = items(given)
    except ValueError as error:
        raise BadFilter(parameter, given.text, "a list such as [1, 2] or ('a', 'b')") from error
    if lookup == "range" and len(found) != RANGE_ENDS:
        raise BadFilter(parameter, given.text, "a list of the first and the last value")
    if len(found) > MOST_ITEMS:
        raise BadFilter(parameter, given.text, f"a list of at most {MOST_ITEMS} values")
    return found


def either(conditions: list[ColumnElement[bool]], *, negated: bool) -> ColumnElement[bool]:
    """Whether any holds, or `negated` none. A condition on what is null does not hold."""
    any_ = or_(*conditions)
    return not_(func.coalesce(any_, False)) if negated else any_


def _within(
    parameter: str, kind: Kind, value: Value, lookup: str, given: Given
) -> ColumnElement[bool]:
    found = [_literal(parameter, kind, item) for item in several(parameter, lookup, given)]
    return value.between(found[0], found[1]) if lookup == "range" else value.in_(found)


def _literal(parameter: str, kind: Kind, given: Given) -> Value:
    return literal(_fit(parameter, kind, given), _TYPES[kind])


def _fit(parameter: str, kind: Kind, given: Given) -> object:
    try:
        return fit(kind, given)
    except ValueError as error:
        raise BadFilter(parameter, given.text, kind.value) from error
