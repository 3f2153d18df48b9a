"""``@action``: a function becomes a Prefect task whose calls are recorded as action runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

import prefect
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from pydantic import BaseModel

from flows.run import current
from flows.runtime import StartedAppRun

Status = Literal["success", "failed"]
LONGEST_NAME = 200
"""How much of a parameter stands in the name of its task run."""


class ActionResult(BaseModel):
    """What an action found out, for one set of parameters on one asset."""

    message: str
    """A sentence or a few lines for people; `app_message` in the run's `message`."""
    data: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}


class ParameterResult(BaseModel):
    """How one set of parameters fared on one asset."""

    asset: str
    parameter: dict[str, Any]
    status: Status
    message: str
    data: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}


class ActionRun(BaseModel):
    """One call of an action, or one map of it."""

    id: int | None
    """None when there was nothing to do: no set of parameters."""
    status: Status
    message: str
    results: list[ParameterResult]


class ActionFailure(Exception):
    """Raised by an action that could not do its work, and by the call when all of it failed."""

    def __init__(self, message: str, action_run: ActionRun | None = None) -> None:
        super().__init__(message)
        self.action_run = action_run
        """The whole action run, when a call raises this."""


class _AppRunEnd(TypedDict):
    id: int
    status: Status
    message: str
    exception_occured: bool
    results: list[dict[str, Any]]


class Action:
    """An action of an app. Call it with one set of parameters, or `map` it over several."""

    def __init__(
        self, function: Callable[..., ActionResult], name: str, app: str, type_: str
    ) -> None:
        if inspect.iscoroutinefunction(function):
            message = f"Action {name!r} must be a plain function; async actions are not supported"
            raise TypeError(message)
        self.function = function
        """The plain function, for tests of its own."""
        self.name = name
        self.app = app
        self.type = type_
        self.__doc__ = function.__doc__
        parameters = inspect.signature(function).parameters
        self.needs_asset = "asset" in parameters
        self._signature = inspect.Signature(
            [parameter for key, parameter in parameters.items() if key != "asset"]
        )
        self._task = self._make_task()

    def __call__(self, *values: Any, **parameters: Any) -> ActionRun:  # noqa: ANN401
        """Run the action once on every asset of its app.

        Raises:
            TypeError: when the parameters do not fit, before anything runs.
            ActionFailure: when it failed on every asset.

        """
        return self._run([self._bind(*values, **parameters)], None, None)

    def map(
        self,
        parameters: Sequence[dict[str, Any]],
        *,
        assets: list[str] | None = None,
        name: str | None = None,
    ) -> ActionRun:
        """Run the action for each set of parameters, in parallel, as one action run.

        Args:
            parameters: The sets; none at all does nothing.
            assets: Names of the assets to use; every one of the app by default.
            name: Name of this action run; the action's by default.

        Raises:
            TypeError: when parameters do not fit, before anything runs.
            ActionFailure: when every set failed on every asset (as Phantom counts it).

        """
        sets = [self._bind(**values) for values in parameters]
        if not sets:
            return ActionRun(id=None, status="success", message="0 actions succeeded", results=[])
        return self._run(sets, assets, name)

    def _bind(self, *values: Any, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        """The parameters by name, as the function would take them."""
        bound = self._signature.bind(*values, **parameters)
        named = dict(zip(self._signature.parameters, bound.args, strict=False))
        return {**named, **bound.kwargs}

    def _run(
        self, sets: list[dict[str, Any]], assets: list[str] | None, name: str | None
    ) -> ActionRun:
        attempt = current().attempt
        started = attempt.start_action(
            action=self.name,
            app=self.app,
            type=self.type,
            name=name or self.name,
            parameters=sets,
            assets=assets,
            needs_asset=self.needs_asset,
        )
        states = iter(self._perform(started.app_runs, sets))
        ends: list[_AppRunEnd] = []
        results: list[ParameterResult] = []
        for app_run in started.app_runs:
            outcomes = [_outcome(self.app, app_run, values, next(states)) for values in sets]
            results += [result for result, _ in outcomes]
            ends.append(_app_run_end(app_run.id, outcomes))
        status: Status = _status(result.status for result in results)
        message = _count(results)
        attempt.end_action(
            started.action_run_id,
            status=status,
            message=message,
            app_runs=[dict(end) for end in ends],
        )
        action_run = ActionRun(
            id=started.action_run_id, status=status, message=message, results=results
        )
        if status == "failed":
            raise ActionFailure(f"{self.name}: {results[0].message}", action_run)
        return action_run

    def _perform(
        self, app_runs: Sequence[StartedAppRun], sets: Sequence[dict[str, Any]]
    ) -> list[State[ActionResult]]:
        """The final states of all task runs, app run by app run."""
        calls = [
            {**values, **({"asset": app_run.asset} if self.needs_asset else {})}
            for app_run in app_runs
            for values in sets
        ]
        if len(calls) == 1:
            # In this thread: another one would cost more than a light action does.
            return [self._task(**calls[0], return_state=True)]
        futures = [self._task.submit(**call) for call in calls]
        for future in futures:
            future.wait()
        return [future.state for future in futures]

    def _make_task(self) -> prefect.Task[..., ActionResult]:
        def perform(**parameters: Any) -> ActionResult:  # noqa: ANN401
            return self.function(**parameters)

        # Not a text, which Prefect would format as a template: the value may come from anyone.
        name: Any = self._task_run_name
        return prefect.task(
            name=self.name,
            task_run_name=name,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=True,
        )(perform)

    def _task_run_name(self, parameters: dict[str, Any]) -> str:
        values = parameters["parameters"].values()  # as `perform` takes them
        first = "".join(f" {value}" for value in list(values)[:1])[:LONGEST_NAME]
        return f"{self.name}{first}"


def action(
    name: str,
    *,
    app: str,
    type: str = "generic",  # noqa: A002 - the contract's own name
) -> Callable[[Callable[..., ActionResult]], Action]:
    """Make an action of a function that takes parameters and returns an `ActionResult`.

    Args:
        name: The action's name as Phantom has it, such as ``whois ip``.
        app: The app it belongs to; assets are found by it.
        type: Phantom's kind of action: investigate, contain, correct, generic, ...

    A function with a parameter `asset` is given the asset to work with, and runs once for each
    one; without it the app needs none. It raises `ActionFailure` when it could not do its work.

    """
    return lambda function: Action(function, name, app, type)


def _outcome(
    app: str,
    app_run: StartedAppRun,
    values: dict[str, Any],
    state: State[ActionResult],
) -> tuple[ParameterResult, bool]:
    """The result for one set of parameters, and whether it ended by an unforeseen exception."""
    asset = app_run.asset.name if app_run.asset else app
    found: Any = state.result(raise_on_failure=False)
    if isinstance(found, ActionResult):
        return (
            ParameterResult(asset=asset, parameter=values, status="success", **found.model_dump()),
            False,
        )
    foreseen = isinstance(found, ActionFailure)
    message = str(found) if foreseen else f"{type(found).__name__}: {found}"
    result = ParameterResult(asset=asset, parameter=values, status="failed", message=message)
    return result, not foreseen


def _app_run_end(app_run_id: int, outcomes: list[tuple[ParameterResult, bool]]) -> _AppRunEnd:
    results = [result for result, _ in outcomes]
    return {
        "id": app_run_id,
        "status": _status(result.status for result in results),
        "message": _count(results),
        "exception_occured": any(unforeseen for _, unforeseen in outcomes),
        "results": [result.model_dump(exclude={"asset"}) for result in results],
    }


def _status(statuses: Any) -> Status:  # noqa: ANN401
    # Phantom's own rule: failed only when it failed on all assets with all parameters.
    return "success" if "success" in set(statuses) else "failed"


def _count(results: list[ParameterResult]) -> str:
    succeeded = sum(result.status == "success" for result in results)
    failed = len(results) - succeeded
    parts = [f"{succeeded} actions succeeded"] if succeeded or not failed else []
    return ", ".join([*parts, *([f"{failed} actions failed"] if failed else [])])
