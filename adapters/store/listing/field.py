"""A field of something that can be listed."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, DateTime, FromClause, Text, cast, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from prefect_phantom.adapters.store.tables.written import Content, written

Expression = Callable[[FromClause], ColumnElement[Any]]
"""What a field's value is in SQL, given the table (or alias) that holds the thing's row."""
Link = Callable[[FromClause, FromClause], ColumnElement[bool]]
"""When a row belongs to a row of another table."""


class Kind(Enum):
    """What values a field has. The value says what is accepted in a filter."""

    INTEGER = "an integer"
    TEXT = "a text"
    BOOLEAN = "True or False"
    TIME = "an ISO 8601 time"
    DATE = "an ISO 8601 date"
    CLOCK = "an ISO 8601 time of day"
    JSON = "a text, number, boolean, None, list or object"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a row is related to: the things of another `resource` for which `link` holds."""

    resource: str
    link: Link


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `expensive` ones stand in a list only when asked for.

    A filter on `value` also finds what fits `also`, another spelling of it. `to` is what the field
    is the id of.
    """

    kind: Kind
    value: Expression
    also: Expression | None = None
    to: Relation | None = None
    expensive: bool = False


def column(name: str) -> Expression:
    """The column of this name."""
    return lambda row: row.c[name]


def integer(name: str) -> Field:
    """A column of integers."""
    return Field(Kind.INTEGER, column(name))


def text(name: str) -> Field:
    """A column of texts."""
    return Field(Kind.TEXT, column(name))


def boolean(name: str) -> Field:
    """A column of booleans."""
    return Field(Kind.BOOLEAN, column(name))


def time(name: str) -> Field:
    """A column of times."""
    return Field(Kind.TIME, column(name))


def document(name: str, *, expensive: bool = False) -> Field:
    """A column of JSON, whose keys can be filtered by."""
    return Field(Kind.JSON, column(name), expensive=expensive)


def reference(name: str, resource: str) -> Field:
    """A column with the ids of something else."""
    to = Relation(resource, lambda mine, theirs: mine.c[name] == theirs.c.id)
    return Field(Kind.INTEGER, column(name), to=to)


def having(name: str, resource: str) -> Relation:
    """The things of `resource` whose column `name` is the id of this one."""
    return Relation(resource, lambda mine, theirs: mine.c.id == theirs.c[name])


_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.INTEGER: BigInteger(),
    Kind.TEXT: Text(),
    Kind.BOOLEAN: Boolean(),
    Kind.TIME: DateTime(timezone=True),
    Kind.JSON: JSONB(),
}


def constant(kind: Kind, value: object = None) -> Field:
    """The same for every row: what the contract has and nothing here fills yet."""
    type_ = _TYPES[kind]
    return Field(kind, lambda _: cast(literal(value, type_), type_))


_OF_CONTENT: dict[Content, Callable[[str], Field]] = {
    Content.TEXT: text,
    Content.FILLED_TEXT: text,
    Content.TEXTS: document,
    Content.OBJECT: document,
    Content.TIME: time,
}


def further(thing: type, named: Container[str]) -> dict[str, Field]:
    """What callers write of a thing besides the fields that are `named`, and besides its users."""
    return {
        name: _OF_CONTENT[field.content](name)
        for name, field in written(thing).items()
        if name not in named and field.content in _OF_CONTENT
    }
