"""A call of an action: its start is recorded, it is carried out, its end is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from prefect_phantom.flows.asset import Asset, settle
from prefect_phantom.flows.failure import ActionFailure
from prefect_phantom.flows.inside.action_definition import ActionDefinition
from prefect_phantom.flows.inside.display.prefect_artifacts import show_action_run
from prefect_phantom.flows.inside.recorder import StartedAction, StartedAppRun
from prefect_phantom.flows.inside.secrets.redaction import Redaction
from prefect_phantom.flows.result import (
    ActionResult,
    ActionRun,
    ParameterResult,
    Status,
    count,
    overall,
)
from prefect_phantom.flows.run import Call, Outcome, PlaybookRun, current


class _AppRunEnd(TypedDict):
    id: int
    status: Status
    message: str
    exception_occured: bool
    results: list[dict[str, Any]]


def begin(action: ActionDefinition, sets: Sequence[Mapping[str, Any]]) -> ActionCall:
    """Record the start of `action` for each set of parameters, as one action run.

    Raises:
        WrongParameter: parameters do not fit; nothing was begun.

    """
    options = action.options
    checked = [action.parameters.check(values) for values in sets]
    call = ActionCall(action, [each for each, _ in checked], [record for _, record in checked])
    if checked:
        call.run = current()
        call.started = call.run.recorder.start_action(
            action=action.name,
            app=action.app,
            type=action.type,
            name=call.name,
            parameters=call.records,
            assets=None if options.assets is None else list(options.assets),
            needs_asset=action.parameters.needs_asset,
        )
    return call


@dataclass
class ActionCall:
    """A call whose start is recorded; `finish` carries it out."""

    action: ActionDefinition
    values: list[dict[str, Any]]
    """The parameter sets, checked."""
    records: list[dict[str, Any]]
    """The same, as they are recorded."""
    run: PlaybookRun[Any] | None = None
    started: StartedAction | None = None
    """None when there is nothing to do."""

    @property
    def name(self) -> str:
        """Of the action run."""
        return self.action.options.name or self.action.name

    def finish(self) -> ActionRun:
        """Carry it out, and record its end.

        Raises:
            ActionFailure: every set failed on every asset, unless that is to be returned.

        """
        if self.run is None or self.started is None:
            message = count([])
            return ActionRun(id=None, name=self.name, status="success", message=message, results=[])
        outcomes = iter(_carry_out(self.action, self.run, self.started.app_runs, self.values))
        results: list[ParameterResult] = []
        told: list[ParameterResult] = []
        ends: list[_AppRunEnd] = []
        for app_run in self.started.app_runs:
            on_asset = [next(outcomes) for _ in self.records]
            asset = app_run.asset.name if app_run.asset else self.action.app
            fared = [
                _result(asset, record, outcome)
                for record, (outcome, _) in zip(self.records, on_asset, strict=True)
            ]
            # The playbook has what its action returned; nobody else is told a secret of the asset.
            redacted = [
                _redacted(result, redaction)
                for result, (_, redaction) in zip(fared, on_asset, strict=True)
            ]
            ends.append(_end(app_run.id, redacted, [outcome for outcome, _ in on_asset]))
            results += fared
            told += redacted
        action_run = ActionRun(
            id=self.started.action_run_id,
            name=self.name,
            status=overall(results),
            message=count(results),
            results=results,
        )
        self.run.recorder.end_action(
            self.started.action_run_id,
            status=action_run.status,
            message=action_run.message,
            app_runs=[dict(end) for end in ends],
        )
        self.run.action_runs.append(action_run)
        show_action_run(action_run.model_copy(update={"results": told}), self.run.base_url)
        if self.action.options.raise_on_failure and not action_run.succeeded:
            raise ActionFailure(f"{self.name}: {results[0].message}", action_run)
        return action_run


def _carry_out(
    action: ActionDefinition,
    run: PlaybookRun[Any],
    app_runs: Sequence[StartedAppRun],
    sets: Sequence[dict[str, Any]],
) -> list[tuple[Outcome, Redaction]]:
    """Results or errors, app run by app run; one whose asset is not in order only has errors.

    With each, what takes the secrets of its asset out of it.
    """
    calls: list[Call | ActionFailure] = []
    for app_run in app_runs:
        try:
            asset = _settled(action, run, app_run)
        except ActionFailure as failure:
            calls += [failure] * len(sets)
        else:
            calls += [Call(asset, app_run.asset, values) for values in sets]
    possible = [each for each in calls if isinstance(each, Call)]
    performed = iter(run.perform(action, possible, action.options.limit) if possible else ())
    return [
        (next(performed), each.redaction()) if isinstance(each, Call) else (each, Redaction(()))
        for each in calls
    ]


def _redacted(result: ParameterResult, redaction: Redaction) -> ParameterResult:
    said = {"message": result.message, "data": result.data, "summary": result.summary}
    return result.model_copy(update=redaction.value(said))


def _settled(
    action: ActionDefinition, run: PlaybookRun[Any], app_run: StartedAppRun
) -> Asset[Any] | None:
    if app_run.asset is None:
        return None
    return settle(app_run.asset, action.parameters.settings, run.secrets)


def _result(asset: str, parameter: dict[str, Any], outcome: Outcome) -> ParameterResult:
    if isinstance(outcome, ActionResult):
        return ParameterResult(
            asset=asset, parameter=parameter, status="success", **outcome.model_dump()
        )
    foreseen = isinstance(outcome, ActionFailure)
    message = str(outcome) if foreseen else f"{type(outcome).__name__}: {outcome}"
    return ParameterResult(asset=asset, parameter=parameter, status="failed", message=message)


def _end(
    app_run_id: int, results: Sequence[ParameterResult], outcomes: Sequence[Outcome]
) -> _AppRunEnd:
    return {
        "id": app_run_id,
        "status": overall(results),
        "message": count(results),
        "exception_occured": any(_is_unforeseen(outcome) for outcome in outcomes),
        "results": [result.model_dump(exclude={"asset"}) for result in results],
    }


def _is_unforeseen(outcome: Outcome) -> bool:
    return isinstance(outcome, Exception) and not isinstance(outcome, ActionFailure)
