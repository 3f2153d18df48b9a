"""Inputs of a run, checked against what its playbook declares."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from pydantic_core import SchemaError, SchemaValidator, core_schema

from prefect_phantom.adapters.errors import WrongInputs

LONGEST_REASON = 300
MOST_ERRORS = 100
"""So many are looked at for the one that says most."""


def check(playbook: str, schema: dict[str, Any] | None, inputs: dict[str, Any] | None) -> None:
    """Raise `WrongInputs` if `inputs` do not fit `schema`; without a schema anything does."""
    if schema is None:
        return
    errors = _Validator(schema).iter_errors(inputs or {})
    error = best_match(islice(errors, MOST_ERRORS))
    if error is not None:
        raise WrongInputs(playbook, _place(error), error.message[:LONGEST_REASON])


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    """Match as the playbook's model does, in a time that grows as the text does.

    By Python's expressions, which jsonschema uses, a short text could keep everybody waiting.
    """
    matches = _matcher(pattern)
    if isinstance(value, str) and matches is not None and not matches.isinstance_python(value):
        shown = value if len(value) <= LONGEST_REASON else f"{value[:LONGEST_REASON]}..."
        yield ValidationError(f"{shown!r} does not match {pattern!r}")


@functools.lru_cache(maxsize=256)
def _matcher(pattern: str) -> SchemaValidator | None:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return None  # one that only Python knows: the run itself looks at it


def _unique(_: object, wanted: object, value: object, __: object) -> Iterator[ValidationError]:
    """Compare by text: jsonschema's own compares each with each where kinds are mixed."""
    if wanted and isinstance(value, list):
        texts = {json.dumps(each, sort_keys=True) for each in value}
        if len(texts) != len(value):
            yield ValidationError("the array has non-unique elements")


_extend: Any = extend  # which does not say what types it has
_Validator = _extend(Draft202012Validator, {"pattern": _pattern, "uniqueItems": _unique})


def specification(schema: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The vendor's list of inputs or outputs, ``{name, description, contains}``."""
    return [
        {
            "name": name,
            "description": field.get("description") or field.get("title") or "",
            "contains": field.get("contains", []),
        }
        for name, field in (schema or {}).get("properties", {}).items()
    ]


def _place(error: ValidationError) -> str:
    return ".".join(["inputs", *(str(part) for part in error.absolute_path)])
