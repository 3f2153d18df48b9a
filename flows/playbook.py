"""``@playbook``: a function becomes a Prefect flow with Phantom's parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, Literal, TypeVar, overload

import prefect
from prefect.context import FlowRunContext
from prefect.utilities.callables import get_call_parameters
from pydantic import BaseModel, Field

from prefect_phantom.flows.inside.definition import Definition, Isolation
from prefect_phantom.flows.inside.execution import execute
from prefect_phantom.flows.run import PlaybookRun, current_or_none

Scope = Literal["all", "new"] | list[int]
Returned = TypeVar("Returned")
Body = Callable[[PlaybookRun[Any]], Returned]
AsyncBody = Callable[[PlaybookRun[Any]], Coroutine[Any, Any, Returned]]


class Playbook(prefect.Flow[..., Returned]):
    """A playbook is a Prefect flow. Called by another playbook, it gives its outputs."""

    def __call__(self, *values: Any, **parameters: Any) -> Any:  # noqa: ANN401 - as there
        """Run it: as a sub-flow within a playbook, and as a plain call within a trial of one."""
        context = FlowRunContext.get()
        if context is not None and context.flow_run is None and current_or_none() is not None:
            return self.fn(**get_call_parameters(self.fn, values, parameters))
        return super().__call__(*values, **parameters)


class Decorator:
    """What `playbook` returns when it is given arguments: it keeps the type of the outputs."""

    def __init__(self, **said: Any) -> None:  # noqa: ANN401 - the fields of a Definition
        self._said = said

    @overload
    def __call__(self, function: AsyncBody[Returned], /) -> Playbook[Returned]: ...
    @overload
    def __call__(self, function: Body[Returned], /) -> Playbook[Returned]: ...
    def __call__(self, function: Body[Any], /) -> Playbook[Any]:
        """Make a flow of `function`."""
        said = {**self._said, "name": self._said["name"] or function.__name__}
        return _flow(Definition(function=function, **said))


@overload
def playbook(function: AsyncBody[Returned], /) -> Playbook[Returned]: ...
@overload
def playbook(function: Body[Returned], /) -> Playbook[Returned]: ...
@overload
def playbook(
    *,
    name: str | None = None,
    labels: Sequence[str] = (),
    tags: Sequence[str] = (),
    category: str = "",
    inputs: type[BaseModel] | None = None,
    outputs: type[BaseModel] | None = None,
    timeout: float | None = None,
    isolation: Isolation = "fork",
    restartable: bool = False,
) -> Decorator: ...
def playbook(
    function: Body[Any] | None = None,
    /,
    *,
    name: str | None = None,
    labels: Sequence[str] = (),
    tags: Sequence[str] = (),
    category: str = "",
    inputs: type[BaseModel] | None = None,
    outputs: type[BaseModel] | None = None,
    timeout: float | None = None,
    isolation: Isolation = "fork",
    restartable: bool = False,
) -> Playbook[Any] | Decorator:
    """Turn a function that takes a `PlaybookRun`, plain or ``async``, into a playbook.

    Args:
        function: The playbook; given when the decorator is used without parentheses.
        name: Its name in its repository; the function's name by default. Digits alone are not
            allowed, since callers may send ids as text.
        labels: Labels of the containers that it is meant for; ``*`` is any. An active playbook
            runs by itself on such containers.
        tags: Tags, as in Phantom; they show in Prefect too.
        category: Category, as in Phantom.
        inputs: Model of what it asks for. A request that does not fit is refused; the run has an
            instance of it. Without a model, the run has whatever object was sent.
        outputs: Model of what the function returns; kept with the run, and given to the playbook
            that called it.
        timeout: Seconds after which a run is ended failed, with all that it has started.
        isolation: ``fork`` gives each run a process of its own. ``reused`` has processes take one
            run after the other, which is faster; what the playbook's own code leaves in globals,
            threads or open files, the next run finds.
        restartable: A run whose worker is gone is started again, from the beginning, instead of
            failed: its actions may be carried out more than once.

    An exception that leaves the function ends the run failed; returning ends it in success.

    A playbook that is called within another one runs as a sub-flow, on the same container and in
    the same process and run: ``verdict = enrich(container_id=run.container.id, inputs=...)``.

    Raises:
        ValueError: for a name of digits alone, or a timeout of nothing.
        TypeError: for a generator, labels or tags that are no list, inputs or outputs that are no
            model, or another isolation.

    """
    decorator = Decorator(
        name=name,
        labels=labels,
        tags=tags,
        category=category,
        inputs=inputs,
        outputs=outputs,
        timeout=timeout,
        isolation=isolation,
        restartable=restartable,
    )
    return decorator if function is None else decorator(function)


def definition_of(flow: prefect.Flow[..., Any]) -> Definition | None:
    """What the playbook says of itself; None for a flow that is not a playbook."""
    return getattr(flow.fn, "definition", None)


def prefect_name(name: str) -> str:
    """`name` in a form that Prefect accepts: it refuses ``/ % & < >`` in names of flows."""
    return re.sub(r"[/%&<>~]", lambda match: f"~{ord(match[0]):02X}", name)


def _flow(definition: Definition) -> Playbook[Any]:
    def run_playbook(
        container_id: Annotated[int, Field(ge=1)],
        scope: Scope = "all",
        inputs: dict[str, Any] | None = None,
        playbook_run_id: int | None = None,
    ) -> Any:  # noqa: ANN401 - the playbook's own
        """Run the playbook on a container.

        Args:
            container_id: Id of the container to run on.
            scope: Which of its artifacts: all, new (added since this playbook last ran on the
                container), or a list of artifact ids.
            inputs: Values for a playbook that asks for inputs.
            playbook_run_id: Set by the gateway. Leave it empty to start a new run.

        """
        return execute(definition, container_id, scope, inputs, playbook_run_id)

    function = definition.function
    if definition.inputs is not None:
        # So that Prefect's form has a field for each input. Not required, since the gateway sends
        # none; whoever has left out what is needed learns it from the run.
        run_playbook.__annotations__["inputs"] = definition.inputs
    run_playbook.__module__ = function.__module__
    run_playbook.__qualname__ = run_playbook.__name__ = function.__name__
    run_playbook.definition = definition  # type: ignore[attr-defined]
    return Playbook(
        run_playbook,
        name=prefect_name(definition.name),
        description=definition.description or None,
        persist_result=False,
        log_prints=True,
    )
