"""Schemas of what callers send and are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prefect_phantom.adapters.between.identifiers import LARGEST_ID
from prefect_phantom.adapters.rest.openapi.operation import Schema
from prefect_phantom.adapters.rest.request.fields import LONGEST_INDEXED
from prefect_phantom.adapters.store.listing.field import Field, Kind
from prefect_phantom.adapters.store.listing.resource import Resource

DIGITS: Final = "^[0-9]{1,18}$"
IDENTIFIER: Final[Schema] = {
    "description": "An integer id, or a string of its digits",
    "oneOf": [
        {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
        {"type": "string", "pattern": DIGITS},
    ],
}
OWNER: Final[Schema] = {
    "description": "A user's id or name",
    "anyOf": [IDENTIFIER, {"type": "string"}, {"type": "null"}],
}
TRUE: Final[Schema] = {
    "description": 'true, 1, "1", or "true" in any case',
    "enum": [True, 1, "1", "true", "True", "TRUE"],
}
TEXT: Final[Schema] = {"type": ["string", "null"]}
FILLED: Final[Schema] = {"type": "string", "minLength": 1}
INDEXED: Final[Schema] = {**FILLED, "maxLength": LONGEST_INDEXED}
FLAG: Final[Schema] = {"enum": [True, False, 1, 0, "true", "false", None]}
TEXTS: Final[Schema] = {"type": ["array", "null"], "items": {"type": "string"}}
OBJECT: Final[Schema] = {"type": ["object", "null"]}
BOOLEAN: Final[Schema] = {"type": ["boolean", "null"]}
TIME: Final[Schema] = {
    "description": "An ISO 8601 time; without an offset it is UTC",
    "type": ["string", "null"],
    "format": "date-time",
}
PASSWORD: Final[Schema] = {"type": "string", "minLength": 8, "maxLength": 1000, "writeOnly": True}
NUMBER: Final[Schema] = {"type": "integer", "minimum": 0}

_KINDS: Final[Mapping[Kind, Schema]] = {
    Kind.INTEGER: {"type": ["integer", "null"]},
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.BOOLEAN: {"type": ["boolean", "null"]},
    Kind.TIME: {"type": ["string", "null"], "format": "date-time"},
    Kind.JSON: {"description": "JSON: a list, an object, a value or null"},
}
_TYPES: Final = {bool: "boolean", int: "integer", str: "string", dict: "object", list: "array"}


def optional(schema: Schema) -> Schema:
    """The same, or null, which is as good as leaving the field out."""
    return {"anyOf": [schema, {"type": "null"}]}


def field_schema(field: Field) -> Schema:
    """Schema of one field of a resource."""
    schema = dict(_KINDS[field.kind])
    if field.to is not None:
        schema["description"] = f"Id of a {field.to.resource}"
    if field.expensive:
        schema["description"] = "In lists only with include_expensive"
    return schema


def thing(resource: Resource) -> Schema:
    """Schema of one thing. What ``pretty`` adds is there only when it was asked for."""
    pretty = [
        *(name for name, field in resource.fields.items() if field.kind is Kind.TIME or field.to),
        *resource.pretty,
    ]
    return {
        "type": "object",
        "properties": {
            **{name: field_schema(field) for name, field in resource.fields.items()},
            **{f"_pretty_{name}": {"description": "Only with pretty"} for name in pretty},
        },
        "required": [name for name, field in resource.fields.items() if not field.expensive],
    }


def page(items: Schema) -> Schema:
    """Schema of the list envelope around things of this schema."""
    return {
        "type": "object",
        "properties": {
            "count": NUMBER,
            "num_pages": NUMBER,
            "data": {"type": "array", "items": items},
        },
        "required": ["count", "num_pages", "data"],
    }


def like(example: object, *, optional: object = ()) -> Schema:
    """Schema of what looks like `example`: types as there, at null any, and all fields required."""
    if example is None:
        return {}
    schema: dict[str, Any] = {"type": _TYPES[type(example)]}
    if isinstance(example, dict):
        schema["properties"] = {name: like(value) for name, value in example.items()}
        left_out = optional if isinstance(optional, tuple) else ()
        schema["required"] = [name for name in example if name not in left_out]
    if isinstance(example, list) and example:
        schema["items"] = like(example[0])
    return schema
