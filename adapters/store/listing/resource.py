"""A kind of thing that can be listed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Table,
    Text,
    column,
    false,
    literal,
    select,
    values,
)

from prefect_phantom.adapters.errors import Thing
from prefect_phantom.adapters.store.listing.field import (
    Expression,
    Field,
    Kind,
    Relation,
    integer,
    text,
)

Columns = Callable[[FromClause, bool], Sequence[ColumnElement[Any]]]


@functools.cache
def _alias(source: FromClause, name: str) -> FromClause:
    """`source` by another name, made once: to copy its columns costs more than all of a list."""
    return source.alias(name)


@dataclass(frozen=True, slots=True)
class Resource:
    """The declaration of a resource. `fields` stand in the order in which they are shown.

    Attributes:
        name: As in its path.
        source: Table, or what is used like one, with a column ``id``.
        thing: What one of them is called in sentences.
        fields: By name; `related` are names in filters for things that refer to this one.
        title: What ``pretty`` shows for an id of such a thing.
        pretty: Further fields that are shown with ``pretty``, named without ``_pretty_``.
        columns: What is read for a row, when it is not the fields: given the row, and whether
            the expensive ones are wanted.
    """

    name: str
    source: FromClause
    thing: Thing
    fields: Mapping[str, Field]
    title: Expression
    related: Mapping[str, Relation] = field(default_factory=dict)
    pretty: Mapping[str, Expression] = field(default_factory=dict)
    columns: Columns | None = None

    @property
    def row(self) -> FromClause:
        """The source in a list's statement: a table goes by its own name."""
        # Some expressions that are written as text rely on it.
        name = self.source.name if isinstance(self.source, Table) else self.name
        return _alias(self.source, name)

    def related_row(self, depth: int = 0) -> FromClause:
        """The source where it is related to a row. `depth` tells those inside others apart."""
        return _alias(self.source, f"related_{self.name}_{depth}")

    def find(self, name: str) -> Field | None:
        """The field that a caller means: ``container_id`` is another spelling of ``container``."""
        found = self.fields.get(name)
        if found is None and name.endswith("_id"):
            referring = self.fields.get(name.removesuffix("_id"))
            found = referring if referring is not None and referring.to is not None else None
        return self.fields.get("id") if name == "pk" else found

    def relation(self, name: str) -> Relation | None:
        """What a caller means by a name that stands before ``__`` and a further field."""
        found = self.find(name)
        return self.related.get(name) if found is None else found.to

    @property
    def sortable(self) -> list[str]:
        """The fields that a list can be sorted by."""
        return [name for name, each in self.fields.items() if each.kind is not Kind.JSON]


def fixed(name: str, thing: Thing, names: Sequence[str], **further: Field) -> Resource:
    """A resource that is the same in every installation: its ids count from 1."""
    rows = values(column("id", BigInteger), column("name", Text), name=name).data(
        [(number, each) for number, each in enumerate(names, start=1)]
    )
    fields = {"id": integer("id"), "name": text("name"), **further}
    return Resource(name, rows, thing, fields, title=lambda row: row.c.name)


def nothing(name: str, thing: Thing, fields: Mapping[str, Field]) -> Resource:
    """A resource of which there is nothing yet, with the fields that callers filter by."""
    rows = select(literal(0, BigInteger).label("id")).where(false()).subquery(name)
    return Resource(name, rows, thing, fields, title=lambda _: literal(None, Text))
