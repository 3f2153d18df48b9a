"""An action as its author has defined it: what is carried out, with which parameters, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prefect.tasks import Task

from prefect_phantom.flows.inside.parameters import Parameters

PARALLEL = 20
"""How many parameter sets of one map are worked on at once, unless another limit is said."""


@dataclass(frozen=True, slots=True)
class Options:
    """How calls of an action are carried out. See `action` and `Action.with_options`."""

    name: str | None = None
    assets: tuple[str, ...] | None = None
    limit: int = PARALLEL
    raise_on_failure: bool = True
    retries: int = 0
    retry_delay_seconds: float = 0
    timeout: float | None = None
    cache_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "timeout", "cache_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                message = f"{name} must be above 0, not {value}"
                raise ValueError(message)
        if self.retries < 0 or self.retry_delay_seconds < 0:
            message = "retries and retry_delay_seconds must not be negative"
            raise ValueError(message)


@dataclass(eq=False, slots=True)
class ActionDefinition:
    """All that recording, carrying out and showing a call needs to know of its action."""

    function: Callable[..., Any]
    name: str
    app: str
    type: str
    parameters: Parameters
    options: Options
    description: str = ""
    """One line."""
    task: Task[..., Any] | None = None
    """Shows in Prefect what the action does (see `inside/task.py`), once it was made."""
