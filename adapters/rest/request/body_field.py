"""A field of a request's body: how it is read and its schema, said together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prefect_phantom.adapters.rest.openapi import schemas
from prefect_phantom.adapters.rest.openapi.operation import Schema
from prefect_phantom.adapters.rest.request.fields import LONGEST_INDEXED, Fields
from prefect_phantom.adapters.store.tables.written import Content, Written, written


@dataclass(frozen=True, slots=True)
class BodyField:
    """A field that may be left out. `read` is given the body and the field's name."""

    schema: Schema
    read: Callable[[Fields, str], object]


TEXT: Final = BodyField(schemas.TEXT, Fields.text)
INDEXED_TEXT: Final = BodyField(
    {**schemas.TEXT, "maxLength": LONGEST_INDEXED},
    functools.partial(Fields.text, longest=LONGEST_INDEXED),
)
FILLED: Final = BodyField(schemas.optional(schemas.FILLED), Fields.filled_text)
INDEXED: Final = BodyField(
    schemas.optional(schemas.INDEXED),
    functools.partial(Fields.filled_text, longest=LONGEST_INDEXED),
)
TEXTS: Final = BodyField(schemas.TEXTS, Fields.texts)
OBJECT: Final = BodyField(schemas.OBJECT, Fields.mapping)
TIME: Final = BodyField(schemas.TIME, Fields.time)
USER: Final = BodyField(schemas.OWNER, Fields.user)

_BODY_FIELDS: Final = {
    Content.TEXT: TEXT,
    Content.FILLED_TEXT: FILLED,
    Content.TEXTS: TEXTS,
    Content.OBJECT: OBJECT,
    Content.TIME: TIME,
    Content.USER: USER,
}


def body_fields(thing: type) -> dict[str, BodyField]:
    """The fields of a body that says of a thing what callers may write of it."""
    return {name: _body_field(field) for name, field in written(thing).items()}


def clearable(thing: type) -> list[str]:
    """The fields of a thing that null in a body clears."""
    return [name for name, field in written(thing).items() if field.clearable]


def body_schemas(body: Mapping[str, BodyField]) -> dict[str, Schema]:
    """The schemas of a body's fields."""
    return {name: field.schema for name, field in body.items()}


def read_fields(body: Mapping[str, BodyField], fields: Fields) -> dict[str, Any]:
    """What a body says in each of its fields; None says nothing. Raises `BadField`."""
    return {name: field.read(fields, name) for name, field in body.items()}


def _body_field(field: Written) -> BodyField:
    return INDEXED if field.indexed else _BODY_FIELDS[field.content]
