"""A playbook's function: what goes in, its call, what comes out."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from prefect_phantom.flows.container import Artifact
from prefect_phantom.flows.failure import WrongInputs, WrongOutputs
from prefect_phantom.flows.inside.definition import Definition
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.secrets.redaction import Redaction
from prefect_phantom.flows.inside.time_limit import time_limit
from prefect_phantom.flows.run import PlaybookRun

LARGEST_OUTPUTS_BYTES = 4 * 1024 * 1024
"""The most that is kept of what a playbook gives back, as JSON."""


def call(definition: Definition, run: PlaybookRun[Any]) -> object:
    """Call the playbook's function, in the time that its author allows.

    Raises:
        TimedOut: it took longer.

    """
    process_id = os.getpid()
    limit = definition.timeout
    sentence = f"Playbook {definition.name} took longer than {limit:g} seconds" if limit else ""
    try:
        with time_limit(limit, sentence):
            return _returned(definition, run)
    finally:
        if os.getpid() != process_id:
            # A process that the playbook forked has come back. It is not the run.
            os._exit(1)


def _returned(definition: Definition, run: PlaybookRun[Any]) -> object:
    returned = definition.function(run)
    return asyncio.run(returned) if inspect.iscoroutine(returned) else returned


def in_scope(artifacts: Sequence[Artifact], scope: str | list[int]) -> list[Artifact]:
    """Those of `artifacts` that a playbook sees which is called by one that sees all of them.

    Raises:
        WrongInputs: `scope` names an artifact that is not among them.

    """
    if isinstance(scope, str):
        return list(artifacts)
    missing = set(scope) - {artifact.id for artifact in artifacts}
    if missing:
        raise WrongInputs(f"scope names artifact {min(missing)}, which is not in the run's scope")
    return [artifact for artifact in artifacts if artifact.id in scope]


def checked_inputs(definition: Definition, inputs: dict[str, Any] | None) -> Any:  # noqa: ANN401 - a model's, or the dictionary
    """An instance of the declared inputs; the dictionary itself where none are declared.

    Raises:
        WrongInputs: they do not fit.

    """
    if definition.inputs is None:
        return inputs or {}
    try:
        return definition.inputs.model_validate(inputs or {})
    except ValidationError as error:
        raise WrongInputs(_sentence("inputs", definition, error)) from None


def checked_outputs(definition: Definition, returned: object) -> object:
    """What the playbook returned, as an instance of the declared outputs where there are any.

    Raises:
        WrongOutputs: it does not fit.

    """
    if definition.outputs is None:
        return returned
    try:
        return definition.outputs.model_validate(returned)
    except ValidationError as error:
        raise WrongOutputs(_sentence("outputs", definition, error)) from None


def recorded_outputs(
    definition: Definition, outputs: object, redaction: Redaction
) -> dict[str, Any] | None:
    """What is kept of them with the run: a model's fields, or a dictionary; else nothing.

    Without secrets, and measured then: what stands for one may be longer.

    Raises:
        WrongOutputs: it is too large.

    """
    kept: dict[str, Any] | None = None
    if isinstance(outputs, BaseModel):
        kept = plain(outputs.model_dump(mode="json"))
    elif isinstance(outputs, dict):
        kept = plain(outputs)
    kept = redaction.value(kept)
    if (size := len(json.dumps(kept))) > LARGEST_OUTPUTS_BYTES:
        most = LARGEST_OUTPUTS_BYTES // 1024 // 1024
        message = (
            f"outputs of playbook {definition.name} are {size / 1024 / 1024:.1f} MB as JSON; "
            f"a run keeps at most {most} MB"
        )
        raise WrongOutputs(message)
    return kept


def _sentence(what: str, definition: Definition, error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join([what, *(str(part) for part in first["loc"])])
    said = "" if first["type"] == "missing" else f" ({plain(first['input'])!r:.100})"
    return f"{place} of playbook {definition.name}: {first['msg']}{said}"
