"""How runs and their actions end, as runs tell it: the messages that may be large.

What is only stored becomes JSON text where the message is parsed, which for a large one is a
process of its own: to write it again would hold up everybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from prefect_phantom.adapters.rest.runtime.messages.message import RuntimeMessage, as_text

Status = Literal["success", "failed"]
LARGEST_BYTES = 17 * 1024 * 1024
"""More than a run sends: 16 MiB of results, or its log with what it gives back, both bounded."""
LONGEST_LINE = 10_000
"""Characters of a line of a run's log."""
MOST_LINES = 10_001
"""In one message; a run keeps no more."""
ENTRY = ("parameter", "status", "message")
"""What callers see of a result without asking for its data."""


@dataclass(frozen=True, slots=True)
class Results:
    """What came of each set of parameters, as JSON texts."""

    entries: str
    whole: str


def _results(value: object) -> Results:
    if not isinstance(value, list) or not all(_is_result(each) for each in value):
        message = f"must be a list of objects with {', '.join(ENTRY)}"
        raise ValueError(message)
    entries = [{name: each[name] for name in ENTRY} for each in value]
    return Results(as_text(entries), as_text(value))


def _is_result(value: object) -> bool:
    return isinstance(value, dict) and all(name in value for name in ENTRY)


def _outputs(value: object) -> str | None:
    if not isinstance(value, dict | None):
        message = "must be an object"
        raise ValueError(message)  # noqa: TRY004 - what pydantic takes for wrong
    return None if value is None else json.dumps(value)


class AppRunEnd(RuntimeMessage):
    """The end of one asset's part of an action."""

    id: int
    status: Status
    message: str
    exception_occured: bool
    results: Annotated[Results, BeforeValidator(_results)]


class ActionEnd(RuntimeMessage):
    """The end of an action."""

    largest_bytes = LARGEST_BYTES
    status: Status
    message: str
    app_runs: list[AppRunEnd]


class LogLine(RuntimeMessage):
    """A line of a run's log."""

    place: int = Field(ge=0, lt=2**31)
    time: AwareDatetime
    message_type: Literal[0, 1]
    message: str = Field(max_length=LONGEST_LINE)


class LogLines(RuntimeMessage):
    """Lines of a run's log, while it goes on."""

    largest_bytes = LARGEST_BYTES
    lines: list[LogLine] = Field(max_length=MOST_LINES)


class RunEnd(RuntimeMessage):
    """The end of a run, with the last lines of its log and what it gave back, as JSON text."""

    largest_bytes = LARGEST_BYTES
    status: Status
    message: str
    log: list[LogLine] = Field(default=[], max_length=MOST_LINES)
    outputs: Annotated[str | None, BeforeValidator(_outputs)] = None
