"""Inputs of a run, checked against what its playbook declares."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from adapters.errors import WrongInputs

LONGEST_REASON = 300


def check(playbook: str, schema: dict[str, Any] | None, inputs: dict[str, Any] | None) -> None:
    """Raise `WrongInputs` if `inputs` do not fit `schema`; without a schema anything does."""
    if schema is None:
        return
    error = best_match(Draft202012Validator(schema).iter_errors(inputs or {}))
    if error is not None:
        raise WrongInputs(playbook, _place(error), error.message[:LONGEST_REASON])


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
