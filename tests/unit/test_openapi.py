"""The published description says what the code does, of every route that there is."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from typing import Any

import pytest
import schemathesis

from prefect_phantom.adapters.rest.application import ROUTES
from prefect_phantom.adapters.rest.openapi.document import Call, calls, document
from prefect_phantom.adapters.rest.openapi.examples import EXAMPLES
from prefect_phantom.adapters.rest.openapi.operation import declared, method_of
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.store.listing.resources import RESOURCES

CALLS = list(calls(ROUTES))
READERS = {name for name, _ in inspect.getmembers(Fields, inspect.isfunction)}
POSTS = [call for call in CALLS if call.method == "POST"]


def _name(call: Call) -> str:
    return f"{call.method} {call.route.path}"


def _read(function: Any, seen: set[object]) -> set[str]:
    """Names of the fields that `function`, and what it calls in our package, takes from a body."""
    seen.add(function)
    names: set[str] = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        match node:
            case ast.Call(ast.Attribute(attr=reader), [ast.Constant(str(name)), *_]) if (
                reader in READERS
            ):
                names.add(name)
            case ast.Subscript(ast.Name("body"), ast.Constant(str(name))):
                names.add(name)
            case ast.Name(called):
                found = function.__globals__.get(called)
                ours = inspect.isfunction(found) and found.__module__.startswith(
                    "prefect_phantom.adapters.rest"
                )
                if ours and found not in seen:
                    names |= _read(found, seen)
    return names


@pytest.mark.parametrize("call", CALLS, ids=_name)
def test_every_handler_says_what_it_reads_and_answers(call: Call) -> None:
    handler = method_of(call.handler)
    name = f"{handler.__module__}.{handler.__qualname__}"
    assert declared(call.handler) is not None, (
        f"{_name(call)}: put @Operation(...) of rest/openapi/operation.py on {name}, with an "
        "example of its answer, and for a POST the schemas of the fields in its body"
    )
    assert inspect.getdoc(handler), f"{_name(call)}: {name} needs a docstring, its description"


@pytest.mark.parametrize("call", POSTS, ids=_name)
def test_the_fields_that_are_read_from_a_body_are_described(call: Call) -> None:
    declaration = declared(call.handler)
    assert declaration is not None
    inner = [each.get("items", {}).get("properties", {}) for each in declaration.body.values()]
    described = {name for body in (declaration.body, *inner) for name in body}
    undescribed = _read(method_of(call.handler), set()) - described
    assert not undescribed, f"{_name(call)}: the body of its @Operation lacks {undescribed}"
    assert set(declaration.required) <= set(declaration.body)
    assert set(declaration.sent or {}) <= set(declaration.body)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_a_thing_has_all_its_fields(name: str) -> None:
    assert list(EXAMPLES[name]) == list(RESOURCES[name].fields)


def test_the_document_is_one_of_openapi_and_has_every_call() -> None:
    content = json.loads(json.dumps(document(ROUTES)))
    schema = schemathesis.openapi.from_dict(content)
    schema.validate()
    described = {
        f"{method.upper()} {path}"
        for path, methods in content["paths"].items()
        for method in methods
    }
    assert described == {_name(call) for call in CALLS}
    identifiers = [
        each["operationId"] for path in content["paths"].values() for each in path.values()
    ]
    assert len(set(identifiers)) == len(identifiers)


def test_lists_describe_filters_by_all_fields() -> None:
    content = document(ROUTES)
    schemas = content["components"]["schemas"]
    for name, resource in RESOURCES.items():
        assert list(schemas[f"{name}_filter_"]["properties"]) == [
            f"_filter_{field}" for field in resource.fields
        ]
    assert (
        "icontains" in schemas["container_exclude_"]["properties"]["_exclude_name"]["description"]
    )


def test_what_takes_an_array_describes_the_refusal_of_each_of_its_items() -> None:
    content = document(ROUTES)
    described = content["components"]["responses"]
    takes_many = {
        path: methods["post"]["responses"]
        for path, methods in content["paths"].items()
        if "post" in methods
        and "oneOf" in methods["post"]["requestBody"]["content"]["application/json"]["schema"]
    }
    assert "/rest/container" in takes_many
    for responses in takes_many.values():
        name = responses["400"]["$ref"].rpartition("/")[2]
        schema = described[name]["content"]["application/json"]["schema"]
        assert [each.get("type", "one") for each in schema["anyOf"]] == ["one", "array"]
