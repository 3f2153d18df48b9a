"""The playbook run in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic

from typing_extensions import TypeVar

from prefect_phantom.flows.asset import Asset, AssetRecord, Secrets, secret_values
from prefect_phantom.flows.container import Artifact, Container
from prefect_phantom.flows.inside.action_definition import ActionDefinition
from prefect_phantom.flows.inside.recorder import Recorder
from prefect_phantom.flows.inside.secrets.redaction import Redaction
from prefect_phantom.flows.result import ActionResult, ActionRun

InputsT = TypeVar("InputsT", default=dict[str, Any])
Outcome = ActionResult | Exception


@dataclass(frozen=True, slots=True)
class Call:
    """One parameter set on one asset: what an action's function is called with."""

    asset: Asset[Any] | None
    record: AssetRecord | None
    """The asset as the gateway has it."""
    values: dict[str, Any]
    waits: bool = False
    """Whether it begins later than its action run, which may have been cancelled by then."""

    def redaction(self) -> Redaction:
        """What takes the secrets of the asset out of whatever is said."""
        if self.asset is None:
            return Redaction(())
        names = self.record.secrets if self.record else ()
        return Redaction(secret_values(self.asset.settings, names))


Perform = Callable[[ActionDefinition, Sequence[Call], int], Sequence[Outcome]]
"""Carries out calls of an action, so many at once, and gives results or errors in their order."""


@dataclass(frozen=True)
class PlaybookRun(Generic[InputsT]):
    """What a playbook is given: the run's id, its container, artifacts in scope and inputs."""

    id: int
    """Integer id, the same over REST and in Prefect's tags."""
    playbook: str
    """``repository/name``."""
    container: Container
    artifacts: list[Artifact]
    """The artifacts within the run's scope, in the order of their ids."""
    inputs: InputsT
    """An instance of the playbook's model of inputs, or a dictionary where it declares none."""
    recorder: Recorder = field(repr=False)
    """Where its actions are recorded, before they begin and when they have ended."""
    perform: Perform = field(repr=False)
    secrets: Secrets = field(repr=False)
    """Where the secrets of its assets are read."""
    base_url: str = ""
    """Where people reach the gateway, such as ``https://soar.example``; empty without one."""
    attempt: int = 1
    """Counts from 1; more where it was started again, or went on after it was suspended."""
    action_runs: list[ActionRun] = field(default_factory=list, repr=False)
    """What its actions have done so far."""


_current: ContextVar[PlaybookRun[Any]] = ContextVar("playbook_run")


@contextmanager
def in_hand(run: PlaybookRun[Any]) -> Iterator[None]:
    """Make `run` the one in which actions called from here are recorded."""
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def current_or_none() -> PlaybookRun[Any] | None:
    """The run in hand, or None outside a playbook."""
    return _current.get(None)


def current() -> PlaybookRun[Any]:
    """The run in hand.

    Raises:
        RuntimeError: outside a playbook.

    """
    run = _current.get(None)
    if run is None:
        message = "An action can only be called while a playbook runs"
        raise RuntimeError(message)
    return run
