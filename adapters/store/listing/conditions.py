"""Filters as SQL: names are looked up in the declarations, values are bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, FromClause, exists

from prefect_phantom.adapters.errors import UnknownField, UnknownLookup
from prefect_phantom.adapters.store.listing import lookups
from prefect_phantom.adapters.store.listing.documents import Document
from prefect_phantom.adapters.store.listing.field import Field, Kind, Relation
from prefect_phantom.adapters.store.listing.lookups import PARTS, compare, either, flag
from prefect_phantom.adapters.store.listing.request import Condition, Given
from prefect_phantom.adapters.store.listing.resource import Resource

SEPARATOR = "__"
MOST_RELATIONS = 3
"""How many relations one filter may go through."""
TRUE, FALSE = Given("True", content=True), Given("False", content=False)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Compiles filters with what is declared of all resources, by name."""

    resources: Mapping[str, Resource]

    def compile(
        self, resource: Resource, row: FromClause, condition: Condition
    ) -> ColumnElement[bool]:
        """The condition on a row of `resource`.

        Raises:
            UnknownField, UnknownLookup: there is no such thing; the sentence has what there is.
            BadFilter: the value does not fit.
        """
        names = condition.name.split(SEPARATOR)
        return self._resolve(resource, row, names, condition, MOST_RELATIONS)

    def _resolve(
        self,
        resource: Resource,
        row: FromClause,
        names: Sequence[str],
        condition: Condition,
        relations: int,
    ) -> ColumnElement[bool]:
        name, *rest = names
        field, relation = resource.find(name), resource.relation(name)
        if relation is not None and (field is None or not _is_lookup(field, rest)):
            return self._related(relation, row, rest or ["id"], condition, relations)
        if field is None:
            raise UnknownField(condition.parameter, name, resource.name, _valid(resource))
        return _of_field(field, row, name, rest, condition)

    def _related(
        self,
        relation: Relation,
        row: FromClause,
        names: Sequence[str],
        condition: Condition,
        relations: int,
    ) -> ColumnElement[bool]:
        """That there is something related for which the rest of the name holds.

        Asked whether something is null, a row without anything related says yes.
        """
        resource = self.resources[relation.resource]
        if not relations:
            raise UnknownField(condition.parameter, names[0], resource.name, list(resource.fields))
        if names == ["isnull"]:
            names = ["id", "isnull"]
        is_null = names[-1] == "isnull" and flag(condition.parameter, condition.value)
        inner = replace(condition, value=FALSE if is_null else condition.value, negated=False)
        theirs = resource.related_row(relations)
        holds = self._resolve(resource, theirs, names, inner, relations - 1)
        found = exists().select_from(theirs).where(relation.link(row, theirs), holds)
        return either([found], negated=is_null != condition.negated)


def _of_field(
    field: Field, row: FromClause, name: str, rest: Sequence[str], condition: Condition
) -> ColumnElement[bool]:
    spellings = [field.value] if field.also is None else [field.value, field.also]
    found = [_compare(field.kind, each(row), name, rest, condition) for each in spellings]
    return either(found, negated=condition.negated)


def _compare(
    kind: Kind,
    value: ColumnElement[object],
    name: str,
    rest: Sequence[str],
    condition: Condition,
) -> ColumnElement[bool]:
    parameter, given = condition.parameter, condition.value
    if kind is Kind.JSON:
        *keys, last = rest or ["exact"]
        lookup = last if last in lookups.names(kind) else "exact"
        keys = [*keys, last] if rest and lookup != last else keys
        return Document(value, keys).compare(parameter, lookup, given)
    if kind is Kind.TIME and rest and rest[0] in PARTS:
        kind, value = lookups.part(value, rest[0])
        name, rest = f"{name}{SEPARATOR}{rest[0]}", rest[1:]
    valid = lookups.names(kind)
    lookup = rest[0] if rest else "exact"
    if len(rest) > 1 or lookup not in valid:
        raise UnknownLookup(parameter, SEPARATOR.join(rest), name, valid)
    return compare(parameter, kind, value, lookup, given)


def _is_lookup(field: Field, rest: Sequence[str]) -> bool:
    return not rest or (len(rest) == 1 and rest[0] in lookups.names(field.kind))


def _valid(resource: Resource) -> list[str]:
    return [*resource.fields, *resource.related]
