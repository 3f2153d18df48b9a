"""The Prefect task of an action: one run of it is one parameter set on one asset."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import prefect
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.futures import PrefectFuture
from prefect.tasks import Task

from prefect_phantom.flows.asset import Asset
from prefect_phantom.flows.failure import AssetMisconfiguration
from prefect_phantom.flows.inside.action_definition import ActionDefinition
from prefect_phantom.flows.inside.display.visible_text import one_line
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.runtime.client import Superseded
from prefect_phantom.flows.inside.secrets.redacted_failure import raising_redacted
from prefect_phantom.flows.inside.slots.slot import slot
from prefect_phantom.flows.inside.time_limit import time_limit
from prefect_phantom.flows.result import ActionResult, action_result
from prefect_phantom.flows.run import Call, Outcome, current

LONGEST_NAME = 200
"""How much of a parameter stands in the name of its task run."""
_NEVER_AGAIN = (AssetMisconfiguration, Superseded, TypeError)


def perform(action: ActionDefinition, call: Call) -> ActionResult:
    """Call the function of `action` once, with checked values.

    Meanwhile it holds one of the asset's slots, where the asset has a limit. Its time begins when
    it has one. What has waited, for its turn or for a slot, asks for leave again: no work begins
    after a cancel was acknowledged. No secret of the asset stands in what is raised.
    """
    recorder = current().recorder
    with slot(call.record, recorder.hold_slots):
        if call.waits or (call.record is not None and call.record.limit is not None):
            recorder.ask_leave()
        if call.asset is None:
            return action_result(action.name, _returned(action, call.values))
        with raising_redacted(call.redaction):
            return action_result(action.name, _returned(action, call.values, call.asset))


def _returned(action: ActionDefinition, values: dict[str, Any], *asset: Asset[Any]) -> object:
    seconds = action.options.timeout
    with time_limit(seconds, f"{action.name} timed out: it took longer than {seconds} s"):
        returned = action.function(*asset, **values)
        # This thread has no loop, so an async function gets one of its own.
        return asyncio.run(returned) if inspect.iscoroutine(returned) else returned


def perform_in_prefect(
    action: ActionDefinition, calls: Sequence[Call], limit: int
) -> list[Outcome]:
    """Carry out `calls` as task runs, at most `limit` at once; results or errors in their order."""
    if len(calls) == 1:
        # In this thread: another one would cost more than a light action does.
        state: Any = task_of(action)(calls[0], return_state=True)
        return [_outcome(state)]
    free = BoundedSemaphore(limit)
    futures: list[PrefectFuture[ActionResult]] = []
    for place, call in enumerate(calls):
        free.acquire()
        future = task_of(action).submit(replace(call, waits=place >= limit))
        future.add_done_callback(lambda _: free.release())
        futures.append(future)
    for future in futures:
        future.wait()
    return [_outcome(future.state) for future in futures]


def _outcome(state: State[ActionResult]) -> Outcome:
    found: Any = state.result(raise_on_failure=False)
    return found if isinstance(found, ActionResult | Exception) else RuntimeError(state.message)


def task_of(action: ActionDefinition) -> Task[[Call], ActionResult]:
    """The task whose runs show in Prefect what `action` does; it is made once."""
    if action.task is None:
        action.task = _make_task(action)
    return action.task


def _make_task(action: ActionDefinition) -> Task[[Call], ActionResult]:

    def perform_once(call: Call) -> ActionResult:
        context = TaskRunContext.get()
        again = context is not None and context.task_run.run_count > 1
        return perform(action, replace(call, waits=True) if again else call)

    def name(parameters: dict[str, Any]) -> str:
        return task_run_name(action.name, parameters["call"])

    # Not a text, which Prefect would format as a template: the value may come from anyone.
    named: Any = name
    options = action.options
    task = prefect.Task(
        perform_once,
        name=action.name,
        description=action.description or None,
        task_run_name=named,
        retries=options.retries,
        retry_delay_seconds=options.retry_delay_seconds,
        retry_condition_fn=_may_succeed_later if options.retries else None,
        log_prints=True,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    if options.cache_seconds is None:
        return task
    policy = CachePolicy.from_cache_key_fn(lambda _, values: cache_key(action, values["call"]))
    age = timedelta(seconds=options.cache_seconds)
    return task.with_options(cache_policy=policy, cache_expiration=age, persist_result=True)


def task_run_name(action: str, call: Call) -> str:
    """The action's name and the first of its values, on one line."""
    first = "".join(f" {str(value)[:LONGEST_NAME]}" for value in list(call.values.values())[:1])
    return one_line(f"{action}{first}")


def cache_key(action: ActionDefinition, call: Call) -> str:
    """What two calls have in common whose results are the same; of secrets only their names."""
    what = [action.app, action.name, call.values, call.record]
    return hashlib.sha256(json.dumps(plain(what), sort_keys=True).encode()).hexdigest()


def _may_succeed_later(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return not isinstance(state.result(raise_on_failure=False), _NEVER_AGAIN)
