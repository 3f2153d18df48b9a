"""One run of a playbook without any server."""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import prefect
from prefect.context import FlowRunContext
from prefect.utilities.timeout import timeout

from prefect_phantom.flows.action import Action
from prefect_phantom.flows.failure import ActionFailure, AssetMisconfiguration
from prefect_phantom.flows.inside.action_definition import ActionDefinition
from prefect_phantom.flows.inside.body import (
    call,
    checked_inputs,
    checked_outputs,
    recorded_outputs,
)
from prefect_phantom.flows.inside.execution import sentence
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.log.log_format import message_of
from prefect_phantom.flows.inside.task import perform
from prefect_phantom.flows.playbook import definition_of
from prefect_phantom.flows.result import ActionResult, ActionRun, Status, action_result
from prefect_phantom.flows.run import Call, Outcome, PlaybookRun, in_hand
from prefect_phantom.flows.trial.assets import EnvironmentSecrets, TrialAsset
from prefect_phantom.flows.trial.record import Record
from prefect_phantom.flows.trial.sample import Sample

_NO_RUN: dict[str, Any] = dict.fromkeys(("flow_run", "client", "task_runner", "result_store"))
Fake = Callable[..., Any]
"""Stands for an action's function: takes its parameters by name, and returns what it would."""
Observer = Callable[[Call], ActionResult]


@dataclass(frozen=True)
class TrialRun:
    """A run that has ended."""

    status: Status
    message: str
    """Why it failed; empty otherwise."""
    outputs: Any
    """What the playbook returned."""
    action_runs: list[ActionRun]
    log: list[str]
    changes: list[tuple[str, dict[str, Any]]]
    """What it would have changed on its case, such as ``("comments", {"entry": ...})``."""
    error: BaseException | None = field(repr=False)
    """The exception that left the playbook."""

    def action_run(self, name: str) -> ActionRun:
        """The one action run of this name. Raises LookupError when there is none, or several."""
        found = [each for each in self.action_runs if each.name == name]
        if len(found) != 1:
            names = ", ".join(each.name for each in self.action_runs) or "none"
            message = f"{len(found)} action runs are called {name!r}; there are: {names}"
            raise LookupError(message)
        return found[0]


@dataclass
class Progress:
    """One parameter set on one asset, as it fares."""

    action: str
    asset: str
    parameter: dict[str, Any]
    status: Literal["waiting", "running", "success", "failed"] = "waiting"
    message: str = ""
    seconds: float = 0.0


class Trial:
    """Carries out playbooks on this machine. Their actions are real, unless they are faked."""

    def __init__(
        self,
        *,
        assets: Sequence[TrialAsset] = (),
        watch: Callable[[Progress], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._assets = assets
        self._watch = watch
        self._say = say
        self._fakes: dict[str, Fake] = {}
        self._observers: dict[str, Observer] = {}

    def fake(self, action: Action[...] | str, fake: Fake) -> None:
        """Have `fake` called instead of the action's own function, without an asset."""
        self._fakes[action if isinstance(action, str) else action.name] = fake

    def observe(self, action: Action[...], observer: Observer) -> None:
        """Have `observer` carry out the action's calls, on its assets."""
        self._observers[action.name] = observer

    def run(
        self,
        playbook: prefect.Flow[..., Any],
        sample: Sample,
        inputs: dict[str, Any] | None = None,
    ) -> TrialRun:
        """Run `playbook` to its end.

        Raises:
            TypeError: it is a flow, but not a playbook.

        """
        definition = definition_of(playbook)
        if definition is None:
            message = f"{playbook.name} is a flow of Prefect's, but not a playbook"
            raise TypeError(message)
        log: list[str] = []
        record = Record(self._assets, self._fakes)
        run: PlaybookRun[Any] = PlaybookRun(
            id=1,
            playbook=f"local/{definition.name}",
            container=sample.container(),
            artifacts=sample.numbered(),
            inputs={},
            recorder=record,
            perform=self._perform,
            secrets=EnvironmentSecrets(),
        )
        outputs = error = None
        with self._listening(playbook, log):
            try:
                run = replace(run, inputs=checked_inputs(definition, inputs))
                with in_hand(run):
                    outputs = checked_outputs(definition, call(definition, run))
                    recorded_outputs(definition, outputs, run.secrets.redaction())
            except Exception as raised:  # noqa: BLE001 - however it ends, that is the result
                error = raised
        return TrialRun(
            status="failed" if error else "success",
            message=sentence(error) if error else "",
            outputs=outputs,
            action_runs=run.action_runs,
            log=log,
            changes=record.changes,
            error=error,
        )

    def _perform(
        self, action: ActionDefinition, calls: Sequence[Call], limit: int
    ) -> list[Outcome]:
        name = action.options.name or action.name
        steps = [
            Progress(name, each.record.name if each.record else action.app, plain(each.values))
            for each in calls
        ]
        for step in steps:
            self._watch(step)
        with ThreadPoolExecutor(limit) as threads:
            futures = [
                threads.submit(contextvars.copy_context().run, self._one, action, each, step)
                for each, step in zip(calls, steps, strict=True)
            ]
        return [future.result() for future in futures]

    def _one(self, action: ActionDefinition, each: Call, step: Progress) -> Outcome:
        step.status = "running"
        self._watch(step)
        began = time.monotonic()
        outcome = self._tried(action, each)
        step.seconds = time.monotonic() - began
        step.status = "success" if isinstance(outcome, ActionResult) else "failed"
        foreseen = isinstance(outcome, ActionResult | ActionFailure)
        said = outcome.message if isinstance(outcome, ActionResult) else str(outcome)
        step.message = said if foreseen else f"{type(outcome).__name__}: {said}"
        self._watch(step)
        return outcome

    def _tried(self, action: ActionDefinition, each: Call) -> Outcome:
        """The outcome after as many retries as the action's author allows."""
        left = action.options.retries
        while True:
            try:
                with timeout(action.options.timeout):
                    if action.name in self._fakes:
                        faked = self._fakes[action.name](**each.values)
                        return action_result(action.name, faked)
                    if action.name in self._observers:
                        return self._observers[action.name](each)
                    return perform(action, each)
            except Exception as error:  # noqa: BLE001 - an outcome of the action, whatever it is
                if not left or isinstance(error, AssetMisconfiguration):
                    return error
            left -= 1
            time.sleep(action.options.retry_delay_seconds)

    @contextmanager
    def _listening(self, playbook: prefect.Flow[..., Any], log: list[str]) -> Iterator[None]:
        """Keep what the playbook gives to Prefect's run logger, which exists within a flow only."""
        context = FlowRunContext.model_construct(**_NO_RUN, flow=playbook)
        handler = _Lines(log, self._say)
        logger = logging.getLogger("prefect.flow_runs")
        others, propagates = list(logger.handlers), logger.propagate
        logger.handlers[:] = [handler]
        logger.propagate = False
        try:
            with context:
                yield
        finally:
            logger.handlers[:] = others
            logger.propagate = propagates


class _Lines(logging.Handler):
    def __init__(self, lines: list[str], say: Callable[[str], None]) -> None:
        super().__init__()
        self._lines = lines
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        message = message_of(record)
        self._lines.append(message)
        self._say(message)
