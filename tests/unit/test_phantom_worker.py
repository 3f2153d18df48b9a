"""The worker's own part of taking runs, without Prefect."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import (
    OrchestrationResult,
    SetStateStatus,
    StateAcceptDetails,
)

from prefect_phantom.adapters.worker import failed_tries, phantom_worker
from prefect_phantom.adapters.worker.failed_tries import FailedTries
from prefect_phantom.adapters.worker.known_deployments import CannotRun
from prefect_phantom.adapters.worker.offered_runs import Turns
from prefect_phantom.adapters.worker.phantom_worker import PhantomWorker
from prefect_phantom.adapters.worker.processes.guardian import Guardian
from prefect_phantom.adapters.worker.processes.templates import TemplateFailed


class Gateway:
    """Gives hints, and breaks the connection after them."""

    def __init__(self, *connections: list[dict[str, Any]]) -> None:
        self.connections = list(connections)
        self.over = asyncio.Event()

    async def hints(self, _: str | None) -> AsyncIterator[dict[str, Any]]:
        if not self.connections:
            self.over.set()
            await asyncio.Event().wait()
        for hint in self.connections.pop(0):
            yield hint
        raise httpx.ReadError("gone")


@pytest.fixture
def worker() -> PhantomWorker:
    worker = PhantomWorker.__new__(PhantomWorker)
    worker._work_queues, worker._work_pool_name = set(), "phantom"
    worker._turns = Turns()
    worker._asking = True  # so that it keeps offers
    return worker


async def listen(worker: PhantomWorker, gateway: Gateway) -> None:
    """Let it listen until the gateway has said everything."""
    worker._gateway = gateway  # type: ignore[assignment]
    listening = asyncio.create_task(worker._listen())
    over = asyncio.create_task(gateway.over.wait())
    await asyncio.wait({listening, over}, return_when=asyncio.FIRST_COMPLETED)
    assert over.done()
    listening.cancel()


async def test_offers_are_not_kept_when_the_gateway_can_no_longer_take_them_back(
    worker, monkeypatch
):
    monkeypatch.setattr(phantom_worker, "RECONNECT_SECONDS", 0)
    await listen(worker, Gateway([{"offer": {"id": str(uuid4())}}]))
    assert worker._turns.next_offer() is None
    assert worker._turns.asks


@pytest.mark.parametrize(
    "hint", [{"stop": "no id"}, {"offer": {}}, {"later": True}], ids=lambda each: next(iter(each))
)
async def test_a_hint_that_is_not_understood_is_not_the_last_one(worker, hint, monkeypatch):
    monkeypatch.setattr(phantom_worker, "RECONNECT_SECONDS", 0)
    heard = asyncio.Event()
    monkeypatch.setattr(worker, "_hear_of_work", heard.set)
    await listen(worker, Gateway([hint], [{"work": True}]))
    assert heard.is_set()


class Prefect:
    """Has one flow run, and takes every state, but only as Prefect's own rules do."""

    def __init__(self) -> None:
        self.states: list[State[Any]] = []

    async def set_flow_run_state(self, _: UUID, state: State[Any]) -> OrchestrationResult[Any]:
        self.states.append(state)
        return OrchestrationResult(
            state=state, status=SetStateStatus.ACCEPT, details=StateAcceptDetails()
        )

    async def read_flow_run(self, flow_run_id: UUID) -> FlowRun:
        return FlowRun(id=flow_run_id, flow_id=flow_run_id, state=self.states[-1])


@pytest.fixture
def prefect(worker, monkeypatch) -> Prefect:
    """Has the worker carry out flow runs, none of which may begin for `error`."""
    worker._client = prefect = Prefect()
    worker._tasks, worker._processes, worker._grace_seconds = set(), {}, {}
    worker._failed_tries = FailedTries()
    worker._guardian = Guardian(url="", key="", worker="one")
    monkeypatch.setattr(worker, "_end_orphans", lambda: None)
    return prefect


async def try_to_begin(worker, flow_run: FlowRun, error: Exception, monkeypatch) -> None:
    async def prepare(_: FlowRun) -> None:
        raise error

    monkeypatch.setattr(worker, "_prepare", prepare)
    worker._turns.taken.add(flow_run.id)
    await worker._carry_out(flow_run)
    assert flow_run.id not in worker._turns.taken
    await asyncio.gather(*worker._tasks, return_exceptions=True)


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (httpx.ReadError("reset"), "Scheduled", "It did not begin: ReadError: reset"),
        (FileNotFoundError("gone"), "Scheduled", "It did not begin: FileNotFoundError: gone"),
        (TemplateFailed("Half"), "Scheduled", "It did not begin: Half"),
        (CannotRun("No deployment"), "Crashed", "No deployment"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
async def test_a_run_that_could_not_begin_says_so_and_is_tried_again(
    worker, prefect, error, name, message, monkeypatch
):
    await try_to_begin(worker, FlowRun(id=uuid4(), flow_id=uuid4()), error, monkeypatch)
    pending, then = prefect.states
    assert pending.is_pending()
    assert (then.name, then.message) == (name, message)


async def test_a_run_whose_playbook_does_not_import_for_a_minute_ends(worker, prefect, monkeypatch):
    flow_run, other = (FlowRun(id=uuid4(), flow_id=uuid4()) for _ in range(2))
    error = TemplateFailed("It does not import")
    await try_to_begin(worker, flow_run, error, monkeypatch)
    monkeypatch.setattr(failed_tries, "BROKEN_SECONDS", 0.0)  # that time is over
    await try_to_begin(worker, flow_run, error, monkeypatch)
    assert [each.name for each in prefect.states[1::2]] == ["Scheduled", "Crashed"]
    monkeypatch.setattr(failed_tries, "BROKEN_SECONDS", 60.0)
    for each in (flow_run, other):  # from the first look on, each time that it is started
        await try_to_begin(worker, each, error, monkeypatch)
    assert [each.name for each in prefect.states[5::2]] == ["Scheduled", "Scheduled"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ReadError("reset"), [5, 10, 20, 40, 80, 160, 300, 300]),
        (TemplateFailed("Half"), [5] * 8),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_what_lasts_is_tried_less_and_less_often_and_logged_once_each_time(
    worker, prefect, error, expected, monkeypatch, caplog
):
    flow_run = FlowRun(id=uuid4(), flow_id=uuid4())
    waits: list[float] = []

    async def put_back(*_: object, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(failed_tries.states, "put_back", put_back)
    for _ in expected:
        await try_to_begin(worker, flow_run, error, monkeypatch)
    assert waits == expected
    assert len(caplog.records) == len(prefect.states) == len(expected)  # each was claimed


async def test_time_in_which_something_else_was_wrong_is_not_that_of_the_code(
    worker, prefect, monkeypatch
):
    flow_run = FlowRun(id=uuid4(), flow_id=uuid4())
    monkeypatch.setattr(failed_tries, "BROKEN_SECONDS", sys.float_info.min)
    for error in (httpx.ReadError("reset"), TemplateFailed("Half"), TemplateFailed("Half")):
        await try_to_begin(worker, flow_run, error, monkeypatch)
    assert [each.name for each in prefect.states[1::2]] == ["Scheduled", "Scheduled", "Crashed"]
