"""``@action``: a function becomes a Prefect task whose calls are recorded as action runs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, overload

import prefect

from prefect_phantom.flows.asset import Asset
from prefect_phantom.flows.inside import action_call
from prefect_phantom.flows.inside.action_definition import ActionDefinition, Options
from prefect_phantom.flows.inside.parameters import Parameters
from prefect_phantom.flows.inside.task import task_of
from prefect_phantom.flows.result import ActionRun, Returned

P = ParamSpec("P")
ParameterSet = Mapping[str, Any]


class Action(Generic[P]):
    """An action of an app; `SyncAction` and `AsyncAction` are the ones that are called."""

    def __init__(
        self, function: Callable[..., Any], name: str, app: str, type_: str, options: Options
    ) -> None:
        self.definition = ActionDefinition(
            function=function,
            name=name,
            app=app,
            type=type_,
            parameters=Parameters(name, function),
            options=options,
            description=(inspect.getdoc(function) or "").partition("\n")[0],
        )
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__name__ = function.__name__
        task_of(self.definition)  # now: a process that is forked for a run has it then

    @property
    def function(self) -> Callable[..., Any]:
        """The plain function, for tests of its own."""
        return self.definition.function

    @property
    def name(self) -> str:
        """As Phantom has it, such as ``whois ip``."""
        return self.definition.name

    @property
    def app(self) -> str:
        """The name of its app."""
        return self.definition.app

    @property
    def type(self) -> str:
        """Phantom's kind of action, such as ``investigate``."""
        return self.definition.type

    @property
    def description(self) -> str:
        """The first line of its docstring."""
        return self.definition.description

    @property
    def parameters(self) -> Parameters:
        """What it takes."""
        return self.definition.parameters

    @property
    def options(self) -> Options:
        """How its calls are carried out."""
        return self.definition.options

    @property
    def task(self) -> prefect.Task[..., Any]:
        """Its Prefect task."""
        return task_of(self.definition)

    def with_options(
        self,
        *,
        name: str | None = None,
        assets: Sequence[str] | None = None,
        limit: int | None = None,
        raise_on_failure: bool | None = None,
        retries: int | None = None,
        retry_delay_seconds: float | None = None,
        timeout: float | None = None,
        cache_seconds: float | None = None,
    ) -> Self:
        """The same action, carried out in another way; what is None stays as it was.

        Args:
            name: Name of the action run; the action's by default.
            assets: Names of the assets to use; every one of the app by default.
            limit: How many parameter sets of a map are worked on at once.
            raise_on_failure: Whether a call that failed raises `ActionFailure`, or returns an
                `ActionRun` whose `status` says so.
            retries: How often a parameter set that failed is tried again.
            retry_delay_seconds: How long to wait before each of these.
            timeout: Seconds after which work on one parameter set is given up.
            cache_seconds: How long a success with the same parameters on the same asset is used
                again, by any run; nothing is by default.

        Raises:
            ValueError: a number that makes no sense.

        """
        given = {
            "name": name,
            "assets": None if assets is None else tuple(assets),
            "limit": limit,
            "raise_on_failure": raise_on_failure,
            "retries": retries,
            "retry_delay_seconds": retry_delay_seconds,
            "timeout": timeout,
            "cache_seconds": cache_seconds,
        }
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        own = self.definition
        return self.__class__(
            own.function, own.name, own.app, own.type, replace(own.options, **changes)
        )

    def run(self, sets: Sequence[ParameterSet]) -> ActionRun:
        """Carry out the action for each set of parameters, as one action run.

        Raises:
            WrongParameter: parameters do not fit; nothing was begun.
            ActionFailure: every set failed on every asset, unless that is to be returned.

        """
        return action_call.begin(self.definition, sets).finish()


class SyncAction(Action[P]):
    """An action whose function is a plain one. Call it, or `map` it over several sets."""

    def __call__(self, *values: P.args, **parameters: P.kwargs) -> ActionRun:
        """Run the action once on every asset of its app.

        Raises:
            WrongParameter: the parameters do not fit; nothing was begun.
            ActionFailure: it failed on every asset, unless that is to be returned.

        """
        return self.run([self.definition.parameters.bind(*values, **parameters)])

    def map(self, sets: Sequence[ParameterSet]) -> ActionRun:
        """Run the action for each set of parameters, in parallel, as one action run.

        Args:
            sets: Parameters by name, and whatever is to be kept with the result as ``context``;
                none at all does nothing.

        Raises:
            WrongParameter: parameters do not fit; nothing was begun.
            ActionFailure: every set failed on every asset, unless that is to be returned.

        """
        return self.run(sets)


class AsyncAction(Action[P]):
    """An action whose function is ``async``: calls of it, and maps, are awaited.

    Its function runs in an event loop of its own, so that a playbook's is never held up.
    """

    async def __call__(self, *values: P.args, **parameters: P.kwargs) -> ActionRun:
        """As `SyncAction.__call__`."""
        sets = [self.definition.parameters.bind(*values, **parameters)]
        return await asyncio.to_thread(self.run, sets)

    async def map(self, sets: Sequence[ParameterSet]) -> ActionRun:
        """As `SyncAction.map`."""
        return await asyncio.to_thread(self.run, sets)


class Decorator(Protocol):
    """What `action` returns: it keeps the types of the parameters, without the asset."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Asset[Any], P], Awaitable[Returned]], /
    ) -> AsyncAction[P]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Asset[Any], P], Returned], /
    ) -> SyncAction[P]: ...
    @overload
    def __call__(self, function: Callable[P, Awaitable[Returned]], /) -> AsyncAction[P]: ...
    @overload
    def __call__(self, function: Callable[P, Returned], /) -> SyncAction[P]: ...


def action(
    name: str,
    *,
    app: str,
    type: str = "generic",  # noqa: A002 - the contract's own name
    retries: int = 0,
    retry_delay_seconds: float = 0,
    timeout: float | None = None,
    cache_seconds: float | None = None,
) -> Decorator:
    """Make an action of a typed function, plain or ``async``.

    Args:
        name: The action's name as Phantom has it, such as ``whois ip``.
        app: The app it belongs to; assets are found by it.
        type: Phantom's kind of action: investigate, contain, correct, generic, test, ...
        retries: How often a parameter set that failed is tried again; never unless it is said.
        retry_delay_seconds: How long to wait before each of these.
        timeout: Seconds after which work on one parameter set is given up.
        cache_seconds: How long a success with the same parameters on the same asset is used
            again, by any run; nothing is by default.

    A function whose first parameter is `asset` is given the asset to work with, and runs once for
    each one; without it the app needs none. Its other parameters are checked by their types before
    anything begins. It returns an `ActionResult`, or a pydantic model or a list of them, which are
    its data. It raises `ActionFailure` when it could not do its work.

    """
    options = Options(
        retries=retries,
        retry_delay_seconds=retry_delay_seconds,
        timeout=timeout,
        cache_seconds=cache_seconds,
    )

    def decorate(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - see Decorator
        kind = AsyncAction if inspect.iscoroutinefunction(function) else SyncAction
        return kind(function, name, app, type, options)

    return decorate
