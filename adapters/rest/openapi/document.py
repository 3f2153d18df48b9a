"""The OpenAPI document of an application's routes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from starlette.routing import BaseRoute, Route

from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.rest.contract.installation import VERSION
from prefect_phantom.adapters.rest.contract.route import Handler, Resource
from prefect_phantom.adapters.rest.layers.authentication import is_protected
from prefect_phantom.adapters.rest.openapi import parameters, refusals, schemas
from prefect_phantom.adapters.rest.openapi.examples import EXAMPLES
from prefect_phantom.adapters.rest.openapi.operation import (
    Operation,
    Schema,
    Shape,
    declared,
    method_of,
    resource_of,
)
from prefect_phantom.adapters.rest.query.list_query import EXCLUDE, FILTER
from prefect_phantom.adapters.store.listing.resources import RESOURCES

DESCRIPTION = (
    "The REST calls of Splunk Phantom that start, watch and cancel playbooks, with all that is "
    "around them. Bodies are read as JSON whatever the content type says, or without one; a "
    "trailing slash changes nothing; HEAD is answered like GET. Fields that are not named here "
    "are ignored where something is made, and refused where it is changed. Any error is the "
    "failed envelope, also 404 for unknown paths and 405 for other methods."
)
SECURITY: dict[str, Schema] = {
    "token": {"type": "apiKey", "in": "header", "name": "ph-auth-token"},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "User and password; or no user, and a token as the password",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token"},
}


class Call(NamedTuple):
    """One method of one path, the permission that it needs, and its handler."""

    route: Route
    method: str
    permission: Permission | None
    handler: Handler


def calls(routes: Iterable[BaseRoute]) -> Iterator[Call]:
    """All that can be asked for, in the order of the routes."""
    for route in routes:
        if isinstance(route, Route) and isinstance(route.endpoint, Resource):
            for method, (permission, handler) in route.endpoint.handlers.items():
                if route.include_in_schema and method != "HEAD":
                    yield Call(route, method, permission, handler)


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The document, as what `json` writes."""
    paths: dict[str, dict[str, Any]] = {}
    for call in calls(routes):
        paths.setdefault(call.route.path, {})[call.method.lower()] = _operation(call)
    components: dict[str, Schema] = {"failed": refusals.ENVELOPE}
    for name, resource in RESOURCES.items():
        example = {"examples": [EXAMPLES[name]]} if name in EXAMPLES else {}
        components[name] = {**schemas.thing(resource), **example}
        for prefix in (FILTER, EXCLUDE):
            components[f"{name}{prefix}"] = parameters.conditions(resource, prefix)
    _link(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "prefect-phantom", "version": VERSION, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": refusals.responses(),
            "securitySchemes": SECURITY,
        },
    }


def _operation(call: Call) -> dict[str, Any]:
    route, method, permission, handler = call
    said = declared(handler) or Operation(body={}, answer={})
    path = route.path
    summary, description = _described(call, said)
    needs = f"Needs the permission `{permission}`." if permission else "Needs no credentials."
    refused = refusals.references(_refusals(call, said), takes_many=_takes_many(call))
    content: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "tags": [path.removeprefix("/rest").split("/")[1] or "front"],
        "summary": summary,
        "description": f"{description}\n\n{needs}".strip(),
        "security": [{name: []} for name in SECURITY] if is_protected(path) else [],
        "parameters": _parameters(call, said),
        "responses": {"200": _answer(call, said), **refused},
    }
    if method == "POST":
        example = {"example": said.sent} if said.sent is not None else {}
        body: Schema = {"type": "object", "properties": said.body, "required": list(said.required)}
        if _takes_many(call):
            body = {"oneOf": [body, {"type": "array", "items": body, "minItems": 1}]}
        content["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body, **example}},
        }
    return content


def _takes_many(call: Call) -> bool:
    """Whether the body may be an array of what is made, too."""
    return hasattr(call.handler, "__wrapped__")


def _described(call: Call, said: Operation) -> tuple[str, str]:
    """What the handler's docstring says; of what all resources share, which of them it is."""
    resource = resource_of(call.handler, said)
    if resource is not None and inspect.ismethod(method_of(call.handler)):
        name = resource.name
        within = call.route.path.split("/")[2] if said.shape is Shape.LIST else name
        belonging = "" if within == name else f" of one {within}"
        return {
            Shape.LIST: f"List of {name}{belonging}",
            Shape.THING: f"One {name}",
            Shape.FIELD: f"One field of one {name}",
        }[said.shape or Shape.THING], ""
    text = (inspect.getdoc(call.handler) or "").replace("``", "`")
    summary, _, rest = text.partition("\n\n")
    summary = re.sub(r"^`/\S*`: ", "", " ".join(summary.split()))
    return summary[:1].upper() + summary[1:], rest


def _parameters(call: Call, said: Operation) -> list[Schema]:
    found = parameters.of_path(call.route)
    resource = resource_of(call.handler, said)
    if said.shape is Shape.LIST and resource is not None:
        found += parameters.of_list(resource)
    elif said.shape is not None:
        found.append(parameters.pretty())
    found += [parameters.of_query(name, schema) for name, schema in said.query.items()]
    found += [{"name": n, "in": "header", "schema": s} for n, s in said.headers.items()]
    return found


def _answer(call: Call, said: Operation) -> Schema:
    resource = resource_of(call.handler, said)
    content: dict[str, Any]
    if resource is not None:
        reference: Schema = {"$ref": f"#/components/schemas/{resource.name}"}
        schema = {
            Shape.LIST: schemas.page(reference),
            Shape.THING: reference,
            Shape.FIELD: {"type": "object", "minProperties": 1, "maxProperties": 1},
        }[said.shape or Shape.THING]
        content = {"schema": schema}
    else:
        one = schemas.like(said.answer, optional=tuple(said.optional))
        content = {"schema": {"anyOf": [one, {"type": "array"}]} if _takes_many(call) else one}
        if said.answer:
            content["example"] = said.answer
    return {"description": "Done", "content": {said.media_type: content}}


def _refusals(call: Call, said: Operation) -> list[Any]:
    errors = [*refusals.ALWAYS, *said.refusals]
    if is_protected(call.route.path):
        errors += refusals.PROTECTED
    if said.shape is not None or said.query:
        errors += refusals.WITH_QUERY
    if call.method == "POST":
        errors += refusals.WITH_BODY
    if "{" in call.route.path:
        errors += refusals.WITH_IDENTIFIER
    return errors


def _link(paths: dict[str, dict[str, Any]]) -> None:
    """Have each call that makes something name those that take its id."""
    for path, methods in paths.items():
        made = methods.get("post", {}).get("responses", {}).get("200")
        one = paths.get(f"{path}/{{id}}")
        if made is None or one is None:
            continue
        schema = made["content"]["application/json"]["schema"]
        fields = schema.get("anyOf", [schema])[0].get("properties", {})
        name = next((each for each in fields if each == "id" or each.endswith("_id")), None)
        if name is not None:
            made["links"] = {
                each["operationId"]: {
                    "operationId": each["operationId"],
                    "parameters": {"id": f"$response.body#/{name}"},
                }
                for each in one.values()
            }
