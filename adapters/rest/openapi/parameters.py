"""Parameters: ids in paths, and the query of a list with the fields of its resource."""

from __future__ import annotations

import re
from typing import Any

from starlette.routing import Route

from prefect_phantom.adapters.rest.contract.route import FieldRoute
from prefect_phantom.adapters.rest.openapi.operation import Schema
from prefect_phantom.adapters.rest.openapi.schemas import NUMBER
from prefect_phantom.adapters.rest.query.list_query import EXCLUDE, FILTER, PAGE_SIZE
from prefect_phantom.adapters.store.listing.field import Kind
from prefect_phantom.adapters.store.listing.lookups import names
from prefect_phantom.adapters.store.listing.resource import Resource

_FLAG: Schema = {"enum": ["True", "False"]}
_NAMES = re.compile(r"\{(\w+)\}")


def of_path(route: Route) -> list[Schema]:
    """The parts of a path that vary."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"enum": sorted(route.fields)}
            if isinstance(route, FieldRoute) and name == "field"
            else {"type": "integer", "minimum": 1},
        }
        for name in _NAMES.findall(route.path)
    ]


def of_query(name: str, schema: Schema, description: str = "") -> Schema:
    """One parameter."""
    described = {"description": description} if description else {}
    return {"name": name, "in": "query", "schema": schema, **described}


def pretty() -> Schema:
    """Shared by lists and single things."""
    return of_query("pretty", _FLAG, "Adds _pretty_FIELD to times and ids; ?pretty alone is True")


def of_list(resource: Resource) -> list[Schema]:
    """The parameters of a list.

    The names of filters vary. OpenAPI has that as an object whose fields are sent as parameters.
    """
    orders = [order for name in resource.sortable for order in (name, f"-{name}")]
    return [
        of_query("page", {**NUMBER, "default": 0}, "From 0; one past the end is refused"),
        of_query("page_size", {**NUMBER, "default": PAGE_SIZE}, "0 is all"),
        of_query("sort", {"enum": orders}, "By id when left out; -FIELD is the other way round"),
        of_query("order", {"enum": ["asc", "desc"]}),
        pretty(),
        of_query("include_expensive", _FLAG, "Has what is left out of lists otherwise"),
        *(
            {
                "name": name,
                "in": "query",
                "description": text,
                "style": "form",
                "explode": True,
                "example": {},
                "schema": {"$ref": f"#/components/schemas/{resource.name}{prefix}"},
            }
            for name, prefix, text in [
                ("filters", FILTER, "Conditions, all of which must hold"),
                ("exclusions", EXCLUDE, "Conditions, none of which may hold"),
            ]
        ),
    ]


def conditions(resource: Resource, prefix: str) -> dict[str, Any]:
    """What a list of `resource` can be filtered by."""
    related = ", ".join(f"{prefix}{name}__FIELD" for name in resource.related)
    further = f", and {related} of what belongs to it" if related else ""
    return {
        "type": "object",
        "description": (
            f"{prefix}FIELD or {prefix}FIELD__LOOKUP{further}. Values are Python or JSON literals, "
            "or bare text; fields of other things and keys of JSON follow after __"
        ),
        "properties": {
            f"{prefix}{name}": {"type": "string", "description": _condition(field.kind)}
            for name, field in resource.fields.items()
        },
        "additionalProperties": {"type": "string"},
    }


def _condition(kind: Kind) -> str:
    return f"Compared with {kind.value}. Lookups: {', '.join(names(kind))}"
