"""The playbook run in hand."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from flows.container import Artifact, Container
from flows.runtime import Attempt


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """What a playbook is given: the run's id, its container, artifacts in scope and inputs."""

    id: int
    """Integer id, the same over REST and in Prefect's tags."""
    playbook: str
    """``repository/name``."""
    container: Container
    artifacts: list[Artifact]
    """The artifacts within the run's scope, in the order of their ids."""
    inputs: dict[str, Any]
    attempt: Attempt = field(repr=False)
    """This process's claim on the run; actions use it, playbooks need not."""


_current: ContextVar[PlaybookRun] = ContextVar("playbook_run")


def set_current(run: PlaybookRun) -> None:
    """Make `run` the one in which actions called from here are recorded."""
    _current.set(run)


def current() -> PlaybookRun:
    """The run in hand.

    Raises:
        RuntimeError: outside a playbook.

    """
    try:
        return _current.get()
    except LookupError:
        message = "An action can only be called while a playbook runs"
        raise RuntimeError(message) from None
