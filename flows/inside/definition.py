"""What a playbook says of itself where it is defined."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel

Isolation = Literal["fork", "reused"]
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Definition:
    """A playbook's function, and what its author says of it. See `flows.playbook.playbook`."""

    function: Callable[..., Any]
    name: str
    labels: Sequence[str]
    tags: Sequence[str]
    category: str
    inputs: type[BaseModel] | None
    outputs: type[BaseModel] | None
    timeout: float | None
    isolation: Isolation
    restartable: bool

    def __post_init__(self) -> None:
        if self.name.isdigit():
            message = f"A playbook's name may not be digits alone: {self.name}"
            raise ValueError(message)
        if len(self.name) > LONGEST_NAME:
            message = f"A playbook's name has at most {LONGEST_NAME} characters: {self.name}"
            raise ValueError(message)
        if _generates(self.function):
            message = f"Playbook {self.name} must be a function, not a generator"
            raise TypeError(message)
        if isinstance(self.labels, str) or isinstance(self.tags, str):
            message = f"Labels and tags of playbook {self.name} must be lists of texts"
            raise TypeError(message)
        for what in ("inputs", "outputs"):
            model = getattr(self, what)
            if model is not None and not _is_model(model):
                message = f"{what} of playbook {self.name} must be a pydantic model, not {model!r}"
                raise TypeError(message)
        if self.timeout is not None and not self.timeout > 0:
            message = f"timeout of playbook {self.name} must be above 0 s, not {self.timeout!r}"
            raise ValueError(message)
        if self.isolation not in get_args(Isolation):
            message = (
                f"Isolation of playbook {self.name} must be 'fork' or 'reused', "
                f"not {self.isolation!r}"
            )
            raise TypeError(message)

    @property
    def description(self) -> str:
        """The docstring of its function."""
        return inspect.getdoc(self.function) or ""

    def described(self) -> dict[str, Any]:
        """What is known of it without its code, in plain values."""
        return {
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "labels": list(self.labels),
            "tags": list(self.tags),
            "isolation": self.isolation,
            "restartable": self.restartable,
            "timeout_seconds": self.timeout,
            "input_schema": self.inputs and self.inputs.model_json_schema(),
            "output_schema": self.outputs and self.outputs.model_json_schema(),
        }


def _generates(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _is_model(model: object) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)
