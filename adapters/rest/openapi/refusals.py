"""Failed answers, by status: their sentences are those of the errors themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from prefect_phantom.adapters.errors import (
    BadBody,
    BadField,
    BodyTooLarge,
    FieldMissing,
    ForbiddenAddress,
    ForeignOrigin,
    HeadTooLarge,
    Invalid,
    KeyReused,
    NoneWorked,
    NoSuchPage,
    NotFound,
    NotRequested,
    PermissionMissing,
    PhantomError,
    Refused,
    RequestTooSlow,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnknownLabel,
)
from prefect_phantom.adapters.rest.layers.failures import STATUSES, status_of, status_of_kind
from prefect_phantom.adapters.rest.listener.limits import MOST_HEADERS
from prefect_phantom.adapters.rest.listener.protocol import REQUEST_SECONDS
from prefect_phantom.adapters.rest.openapi.operation import Schema

FAULT: Final = 500
NONE_WORKED: Final = str(status_of_kind(NoneWorked))
OF_ARRAY: Final = f"{NONE_WORKED}-of-array"
EXAMPLES: Final[tuple[PhantomError, ...]] = (
    NotRequested("run"),
    FieldMissing("container_id"),
    BadField("scope", "some", '"all", "new" or a list of artifact ids'),
    UnknownLabel("foobar"),
    NoSuchPage(9),
    BadBody("is not JSON: Expecting value at line 1 column 1"),
    Unauthenticated(Unauthenticated.MISSING),
    Unauthenticated(Unauthenticated.BAD_AUTOMATION),
    Unauthenticated(Unauthenticated.BAD_LOGIN),
    PermissionMissing("caller", "run_playbooks"),
    ForbiddenAddress("caller", "203.0.113.9"),
    ForeignOrigin("https://evil.example"),
    NotFound("Playbook", 999),
    NotFound("Container", 4242),
    NotFound("Playbook run", 999),
    RequestTooSlow(REQUEST_SECONDS),
    KeyReused("a"),
    BodyTooLarge(2**20),
    TooMany(TooMany.FAILURES, 280),
    TooMany(TooMany.REQUESTS, 2),
    HeadTooLarge(f"{MOST_HEADERS} headers"),
    Unavailable(),
)
ENVELOPE: Final[Schema] = {
    "type": "object",
    "properties": {"failed": {"const": True}, "message": {"type": "string"}},
    "required": ["failed", "message"],
}
ALWAYS: Final = (HeadTooLarge, RequestTooSlow, TooMany, Refused)
"""What any request may get, those without credentials too."""
PROTECTED: Final = (Unauthenticated, Unavailable)
WITH_QUERY: Final = (Invalid,)
WITH_BODY: Final = (Invalid, BodyTooLarge)
WITH_IDENTIFIER: Final = (NotFound,)


def references(
    errors: Iterable[type[PhantomError]], *, takes_many: bool = False
) -> dict[str, Schema]:
    """The responses of an operation that may end in one of `errors`, and in a fault of ours.

    `takes_many`: it answers an array of which no item worked with one refusal for each.
    """
    codes = {FAULT, *(status_of_kind(error) for error in errors)}
    names = {str(code): str(code) for code in sorted(codes)}
    if takes_many:
        names[NONE_WORKED] = OF_ARRAY
    return {code: {"$ref": f"#/components/responses/{name}"} for code, name in names.items()}


def responses() -> dict[str, Schema]:
    """All of them, by status code, to be referred to."""
    described = {
        STATUSES[error]: (error.__doc__ or "").partition(" (HTTP")[0].partition(".")[0]
        for error in reversed(STATUSES)
    }
    sentences: dict[int, list[str]] = {code: [] for code in described}
    for error in EXAMPLES:
        sentences[status_of(error)].append(str(error))
    described[FAULT] = "A fault of the gateway's own"
    sentences[FAULT] = ["Internal error, noted in the gateway's log as incident ID"]
    found: dict[str, Schema] = {
        str(code): {
            "description": described[code],
            "content": {"application/json": _failed(sentences[code])},
        }
        for code in sorted(described)
    }
    one = found[NONE_WORKED]["content"]["application/json"]
    each: Schema = {"type": "array", "items": {"type": "object"}, "minItems": 1}
    found[OF_ARRAY] = {
        "description": "Refused; of an array each of its items",
        "content": {"application/json": {**one, "schema": {"anyOf": [one["schema"], each]}}},
    }
    return found


def _failed(sentences: list[str]) -> dict[str, Any]:
    return {
        "schema": {"$ref": "#/components/schemas/failed"},
        "examples": {
            str(number): {"value": {"failed": True, "message": sentence}}
            for number, sentence in enumerate(sentences, start=1)
        },
    }
