"""``@playbook``: a function becomes a Prefect flow with Phantom's parameters."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, overload
from uuid import UUID

import prefect
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled

from flows.log import RunLog
from flows.log_format import about_process
from flows.run import PlaybookRun, set_current
from flows.runtime import Attempt, Claim, Superseded

Body = Callable[[PlaybookRun], object]
Scope = Literal["all", "new"] | list[int]
Isolation = Literal["fork", "reused"]
RUN_TAG = "playbook_run:"
Flow = prefect.Flow[..., State[Any] | None]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a playbook says of itself where it is defined."""

    name: str
    description: str
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    category: str
    isolation: Isolation
    restartable: bool


@overload
def playbook(function: Body, /) -> Flow: ...
@overload
def playbook(
    *,
    name: str | None = None,
    labels: Sequence[str] = (),
    tags: Sequence[str] = (),
    category: str = "",
    isolation: Isolation = "fork",
    restartable: bool = False,
) -> Callable[[Body], Flow]: ...
def playbook(
    function: Body | None = None,
    /,
    *,
    name: str | None = None,
    labels: Sequence[str] = (),
    tags: Sequence[str] = (),
    category: str = "",
    isolation: Isolation = "fork",
    restartable: bool = False,
) -> Flow | Callable[[Body], Flow]:
    """Turn a function that takes a `PlaybookRun` into a playbook.

    Args:
        function: The playbook; given when the decorator is used without parentheses.
        name: Its name in its repository; the function's name by default. Digits alone are not
            allowed, since callers may send ids as text.
        labels: Labels of the containers that it is meant for.
        tags: Tags, as in Phantom; they show in Prefect too.
        category: Category, as in Phantom.
        isolation: ``fork`` gives each run a process of its own. ``reused`` has processes take one
            run after the other, which is faster; what the playbook's own code leaves in globals,
            threads or open files, the next run finds.
        restartable: A run whose worker is gone is started again, from the beginning, instead of
            failed: its actions may be carried out more than once.

    An exception that leaves the function ends the run failed; returning ends it in success.

    Raises:
        ValueError: for a name of digits alone.
        TypeError: for a function that is not a plain one, labels or tags that are no list, or
            another isolation.

    """

    def decorate(function: Body) -> Flow:
        definition = _define(
            function, name, labels, tags, category, isolation, restartable=restartable
        )
        return _flow(function, definition)

    return decorate if function is None else decorate(function)


def definition_of(flow: prefect.Flow[..., Any]) -> Definition | None:
    """What the playbook says of itself; None for a flow that is not a playbook."""
    return getattr(flow.fn, "definition", None)


def prefect_name(name: str) -> str:
    """`name` in a form that Prefect accepts: it refuses ``/ % & < >`` in names of flows."""
    return re.sub(r"[/%&<>~]", lambda match: f"~{ord(match[0]):02X}", name)


def _define(
    function: Body,
    name: str | None,
    labels: Sequence[str],
    tags: Sequence[str],
    category: str,
    isolation: Isolation,
    *,
    restartable: bool,
) -> Definition:
    name = name or function.__name__
    if name.isdigit():
        message = f"A playbook's name may not be digits alone: {name}"
        raise ValueError(message)
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        message = f"Playbook {name} must be a plain function, neither async nor a generator"
        raise TypeError(message)
    if isinstance(labels, str) or isinstance(tags, str):
        message = f"Labels and tags of playbook {name} must be lists of texts"
        raise TypeError(message)
    if isolation not in get_args(Isolation):
        message = f"Isolation of playbook {name} must be 'fork' or 'reused', not {isolation!r}"
        raise TypeError(message)
    description = inspect.getdoc(function) or ""
    return Definition(
        name, description, tuple(labels), tuple(tags), category, isolation, restartable
    )


def run_tags(playbook_run_id: int, container_id: int) -> list[str]:
    """Tags by which a run is found in Prefect."""
    return [f"{RUN_TAG}{playbook_run_id}", f"container:{container_id}"]


def _tagged(tags: Sequence[str]) -> int | None:
    """The id in the tags of a flow run that began in Prefect and has been a run before."""
    ids = (tag.removeprefix(RUN_TAG) for tag in tags if tag.startswith(RUN_TAG))
    return next((int(each) for each in ids if each.isdecimal()), None)


def _flow(function: Body, definition: Definition) -> Flow:
    def run_playbook(
        container_id: int,
        scope: Scope = "all",
        inputs: dict[str, Any] | None = None,
        playbook_run_id: int | None = None,
    ) -> State[Any] | None:
        """Run the playbook on a container.

        Args:
            container_id: Id of the container to run on.
            scope: Which of its artifacts: all, new (added since this playbook last ran on the
                container), or a list of artifact ids.
            inputs: Values for a playbook that asks for inputs.
            playbook_run_id: Set by the gateway. Leave it empty to start a new run.

        """
        return _execute(function, definition, container_id, scope, inputs, playbook_run_id)

    run_playbook.__module__ = function.__module__
    run_playbook.__qualname__ = run_playbook.__name__ = function.__name__
    run_playbook.definition = definition  # type: ignore[attr-defined]
    return prefect.flow(
        name=prefect_name(definition.name),
        description=definition.description or None,
        persist_result=False,
        log_prints=True,
    )(run_playbook)


def _execute(
    function: Body,
    definition: Definition,
    container_id: int,
    scope: Scope,
    inputs: dict[str, Any] | None,
    playbook_run_id: int | None,
) -> State[Any] | None:
    try:
        attempt = Attempt.begin(
            flow_run_id=UUID(flow_run.id),
            deployment_id=UUID(deployment.id) if deployment.id else None,
            playbook=_known_as(function, definition),
            container_id=container_id,
            scope=scope,
            inputs=inputs,
            playbook_run_id=playbook_run_id,
            former_id=None if playbook_run_id else _tagged(flow_run.tags),
        )
        claim = attempt.claim
        about_process(
            playbook_run_id=claim.playbook_run_id,
            flow_run_id=flow_run.id,
            request_id=claim.request_id,
        )
        run = PlaybookRun(
            id=claim.playbook_run_id,
            playbook=claim.playbook,
            container=claim.container,
            artifacts=claim.artifacts,
            inputs=claim.inputs,
            attempt=attempt,
        )
        set_current(run)
        _announce(claim, began_in_prefect=playbook_run_id is None)
        log = RunLog(attempt.log)
        try:
            with log.listen():
                _call(function, run)
        except Exception as error:
            if not isinstance(error, Superseded):
                log.add_exception(error)
                attempt.end("failed", _sentence(error), log.rest())
            raise
        except SystemExit as error:
            # Prefect would call this a crash, and the reason would be lost.
            message = f"The playbook called sys.exit({error.code!r})"
            log.add_exception(error)
            attempt.end("failed", message, log.rest())
            raise RuntimeError(message) from error
        attempt.end("success", "", log.rest())
    except Superseded as superseded:
        if superseded.held_elsewhere:
            # The flow run is the other process's: leave its state alone and go quietly.
            raise Abort(str(superseded)) from superseded
        return Cancelled(message=str(superseded))
    return None


def _call(function: Body, run: PlaybookRun) -> None:
    process_id = os.getpid()
    try:
        function(run)
    finally:
        if os.getpid() != process_id:
            # A process that the playbook forked has come back. It is not the run.
            os._exit(1)


def _known_as(function: Body, definition: Definition) -> str:
    """How to find the playbook of a deployment that is not one of the gateway's own."""
    shipped = function.__module__.startswith("flows.playbooks.")
    return f"examples/{definition.name}" if shipped else definition.name


def _announce(claim: Claim, *, began_in_prefect: bool) -> None:
    """Show the run's id in Prefect: in its log, and for a run that began there in its tags."""
    get_run_logger().info(
        "Playbook run %s: %s on container %s, %s artifacts in scope, request %s",
        *(claim.playbook_run_id, claim.playbook, claim.container.id, len(claim.artifacts)),
        claim.request_id,
    )
    if began_in_prefect:
        tags = {*flow_run.tags, *run_tags(claim.playbook_run_id, claim.container.id)}
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(flow_run.id), tags=sorted(tags))


def _sentence(error: Exception) -> str:
    text = str(error)
    return (
        text
        if type(error).__module__.startswith("flows") and text
        else (f"{type(error).__name__}: {text}" if text else type(error).__name__)
    )
