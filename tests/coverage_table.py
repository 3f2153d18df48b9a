"""Writes `docs/coverage.md`: what is served, read from the code. `make coverage` runs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import BindParameter, Cast

from prefect_phantom.adapters.rest.application import ROUTES
from prefect_phantom.adapters.rest.contract.route import FieldRoute
from prefect_phantom.adapters.rest.openapi.document import Call, calls, document
from prefect_phantom.adapters.rest.openapi.operation import declared
from prefect_phantom.adapters.store.listing.field import Field, Kind
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.listing.resources import RESOURCES

FILE = Path(__file__).parents[1] / "docs" / "coverage.md"
KINDS = {
    Kind.INTEGER: "integer",
    Kind.TEXT: "text",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "time",
    Kind.JSON: "JSON",
}
HEAD = """\
# What is served

Written by `make coverage` from the routes and what they declare; a test compares it with the code.
[contract.md](contract.md) says what each thing means and where it is known from, and `/docs` of a
gateway describes every call with its parameters and errors.
"""


def table() -> str:
    """The whole file."""
    return "\n".join([HEAD, *_calls(), "", *_things()]) + "\n"


def _calls() -> Iterator[str]:
    """Every path with its methods, but for single fields, which each type has alike."""
    described = document(ROUTES)["paths"]
    yield "## Calls\n"
    yield "| path | method | permission | fields of the body, required ones first | |"
    yield "|---|---|---|---|---|"
    for call in sorted(calls(ROUTES), key=_place):
        if isinstance(call.route, FieldRoute):
            continue
        path, method = call.route.path, call.method
        summary = described[path][method.lower()]["summary"]
        permission = f"`{call.permission}`" if call.permission else "none"
        yield f"| `{path}` | {method} | {permission} | {_body(call)} | {summary} |"
    fields = sorted(call.route.path for call in calls(ROUTES) if _is_field(call))
    yield "\n`GET` of a single field: " + ", ".join(f"`{path}`" for path in fields) + "."


def _place(call: Call) -> tuple[str, str]:
    return call.route.path, call.method


def _is_field(call: Call) -> bool:
    return isinstance(call.route, FieldRoute)


def _body(call: Call) -> str:
    declaration = declared(call.handler)
    if declaration is None:
        return ""
    others = [name for name in declaration.body if name not in declaration.required]
    return ", ".join([*(f"**{name}**" for name in declaration.required), *others])


def _things() -> Iterator[str]:
    yield "## Fields\n"
    yield "A field that is *empty* is there, since callers read it, and is the same in each answer."
    for name, resource in sorted(RESOURCES.items()):
        groups: dict[str, list[str]] = defaultdict(list)
        for field_name, field in resource.fields.items():
            groups[_group(resource, field)].append(f"`{field_name}`{_note(field)}")
        yield f"\n### {name}\n"
        yield "| kind | fields |"
        yield "|---|---|"
        for group in [*KINDS.values(), "empty"]:
            if group in groups:
                yield f"| {group} | {', '.join(groups[group])} |"
        related = ", ".join(f"`{each}`" for each in resource.related)
        if related:
            yield f"| what refers to it, in filters | {related} |"


def _group(resource: Resource, field: Field) -> str:
    # Not of the source itself: once read, a list of values cannot be aliased any more.
    value = field.value(resource.source.alias())
    same = isinstance(value, Cast) and isinstance(value.clause, BindParameter)
    return "empty" if same else KINDS[field.kind]


def _note(field: Field) -> str:
    of = f" (id of a {field.to.resource})" if field.to is not None else ""
    return of + (" (in lists with `include_expensive`)" if field.expensive else "")


if __name__ == "__main__":
    FILE.write_text(table())
