"""The dispatcher against a real Prefect server whose answers break in every way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from sqlalchemy import func, select, text, update

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.prefect.runs import dispatch
from prefect_phantom.adapters.prefect.runs.dispatch import Dispatcher
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.runs import playbook_runs
from prefect_phantom.adapters.store.starts import dispatch_queue, run_requests
from prefect_phantom.adapters.store.starts.dispatch_queue import TAKEOVER_SECONDS
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

Way = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Line(httpx.AsyncHTTPTransport):
    """The way to Prefect. `fault` takes the place of every creation, if it is set."""

    fault: Callable[[httpx.Request, Way], Awaitable[httpx.Response]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        way = super().handle_async_request
        if self.fault is not None and "create_flow_run" in request.url.path:
            return await self.fault(request, way)
        return await way(request)


async def answers_503(request, _):
    return httpx.Response(503, request=request)


async def answers_429(request, _):
    return httpx.Response(429, request=request)


async def refuses_the_connection(request, _):
    raise httpx.ConnectError("refused", request=request)


async def loses_the_answer(request, way):
    await (await way(request)).aread()
    raise httpx.ReadTimeout("late", request=request)


async def answers_500_when_done(request, way):
    await (await way(request)).aread()
    return httpx.Response(500, request=request)


@pytest.fixture(scope="module")
async def request_(database) -> RunRequest:
    """A run of local/hunt; there are a local/other and a local/broken, too."""
    name = uuid4().hex
    found = [
        FoundPlaybook(repository=name, name=each, folder="/p", entrypoint="hunt.py:hunt")
        for each in ("hunt", "other", "broken")
    ]
    found[-1] = replace(found[-1], entrypoint="broken.py:broken", error="It does not import")
    await save_found(database, found)
    new = ContainerFields(name="c", label="events")
    container_id, _ = await new_containers.create(database, new)
    return RunRequest(container_id=container_id, playbook=f"{name}/hunt", scope="all")


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
async def client(system, line):
    async with PrefectClient(
        system.prefect_url, auth_string=system.prefect_auth, httpx_settings={"transport": line}
    ) as client:
        yield client


@pytest.fixture
async def dispatcher(database, client):
    """A dispatcher whose flow runs no worker takes, on an empty queue."""
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbook_runs CASCADE"))
    settings = Settings(work_pool="nobody-works-here")
    deployments = Deployments(database=database, client=client, settings=settings)
    await deployments.register_all()
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield Dispatcher(
            database=database,
            client=client,
            settings=settings,
            deployments=deployments,
            signal=Signal(),
            reconcile=Signal(),
            hints=Hints(lambda _: None),
        )


@pytest.fixture
def accept(database, request_):
    """Accepts a run; returns its id."""

    async def accept(playbook: str = "hunt") -> int:
        repository = request_.playbook.partition("/")[0]
        wanted = replace(request_, playbook=f"{repository}/{playbook}")
        return await run_requests.accept(database, wanted, repositories=[])

    return accept


@pytest.fixture
def read(database):
    async def read(run_id: int):
        async with database.read() as connection:
            return (await connection.execute(select(runs).where(runs.c.id == run_id))).one()

    return read


@pytest.fixture
def flow_runs(prefect, read):
    """The flow runs that Prefect has of a run."""

    async def flow_runs(run_id: int) -> list:
        key = FlowRunFilterIdempotencyKey(any_=[str((await read(run_id)).dispatch_key)])
        found = await prefect.read_flow_runs(flow_run_filter=FlowRunFilter(idempotency_key=key))
        return [flow_run.id for flow_run in found]

    return flow_runs


def queued(row) -> bool:
    return (row.status, row.dispatch_time, row.flow_run_id) == ("running", None, None)


@pytest.mark.parametrize("fault", [answers_503, answers_429, refuses_the_connection])
async def test_runs_that_prefect_certainly_did_not_make_are_queued_again_at_once(
    dispatcher, line, accept, read, flow_runs, fault
):
    first, other = await accept(), await accept("other")
    line.fault = fault
    with pytest.raises(httpx.HTTPError):
        await dispatcher.dispatch()
    # The rest of the batch was not even tried.
    assert queued(await read(first))
    assert queued(await read(other))
    line.fault = None
    assert await dispatcher.dispatch() == 2
    for run_id in (first, other):
        assert await flow_runs(run_id) == [(await read(run_id)).flow_run_id]


async def test_a_run_whose_answer_was_lost_is_made_once(
    database, dispatcher, line, accept, read, flow_runs
):
    run_id = await accept()
    line.fault = loses_the_answer
    with pytest.raises(httpx.ReadTimeout):
        await dispatcher.dispatch()
    assert (await read(run_id)).dispatch_time is not None
    line.fault = None
    assert await dispatcher.dispatch() == 0
    await _age(database, run_id)
    assert await dispatcher.dispatch() == 1
    assert await flow_runs(run_id) == [(await read(run_id)).flow_run_id]


async def test_a_refusal_after_a_lost_answer_does_not_hide_what_was_made(
    database, dispatcher, line, accept, read, flow_runs
):
    run_id = await accept()
    line.fault = loses_the_answer
    with pytest.raises(httpx.ReadTimeout):
        await dispatcher.dispatch()
    await _age(database, run_id)
    line.fault = answers_503
    with pytest.raises(httpx.HTTPStatusError):
        await dispatcher.dispatch()
    # A cancel now must reach the flow run, so it does not end the run at once.
    await playbook_runs.request_cancel(database, run_id, user_id=None, text="Cancelled by me")
    assert (await read(run_id)).status == "running"
    await _age(database, run_id)
    line.fault = None
    assert await dispatcher.dispatch() == 1
    assert await flow_runs(run_id) == [(await read(run_id)).flow_run_id]


@pytest.mark.parametrize("code", [400, 409, 422])
async def test_a_playbook_that_fails_holds_up_no_other(
    database, dispatcher, line, accept, read, code
):
    async def refuses_one(request, way):
        playbook_id = (await read(failing)).playbook_id
        playbook = await playbooks.read(database, playbook_id)
        if str(playbook.deployment_id) in request.url.path:
            return httpx.Response(code, request=request)
        return await way(request)

    failing, other = await accept(), await accept("other")
    line.fault = refuses_one
    await dispatcher.dispatch()
    assert (await read(other)).flow_run_id is not None
    assert queued(await read(failing))
    # It rests meanwhile.
    later = await accept("other")
    assert await dispatcher.dispatch() == 1
    assert (await read(later)).flow_run_id is not None
    line.fault = None
    assert await dispatcher.dispatch() == 0


async def test_a_playbook_that_failed_is_tried_again_after_its_rest(
    dispatcher, line, accept, read, flow_runs, monkeypatch
):
    async def refuses(request, _):
        return httpx.Response(422, request=request)

    monkeypatch.setattr(dispatch, "REST_SECONDS", 0.0)
    failing = await accept()
    line.fault = refuses
    await dispatcher.dispatch()
    assert queued(await read(failing))
    line.fault = None
    assert await dispatcher.dispatch() == 1
    assert await flow_runs(failing) == [(await read(failing)).flow_run_id]


async def test_a_playbook_whose_outcome_is_unknown_is_tried_again_later(
    database, dispatcher, line, accept, read, flow_runs, monkeypatch
):
    monkeypatch.setattr(dispatch, "REST_SECONDS", 0.0)
    run_id = await accept()
    line.fault = answers_500_when_done
    await dispatcher.dispatch()
    assert (await read(run_id)).dispatch_time is not None
    line.fault = None
    await _age(database, run_id)
    assert await dispatcher.dispatch() == 1
    assert await flow_runs(run_id) == [(await read(run_id)).flow_run_id]


async def test_a_cancel_during_a_creation_that_fails_ends_the_run(
    database, dispatcher, line, accept, read, flow_runs
):
    async def is_cancelled_meanwhile(request, _):
        await playbook_runs.request_cancel(database, run_id, user_id=None, text="Cancelled by me")
        assert (await read(run_id)).status == "running"
        return httpx.Response(503, request=request)

    run_id = await accept()
    line.fault = is_cancelled_meanwhile
    with pytest.raises(httpx.HTTPStatusError):
        await dispatcher.dispatch()
    row = await read(run_id)
    assert (row.status, row.cancelled, row.message) == ("failed", *["Cancelled by me"] * 2)
    assert row.settled
    assert row.dispatch_time is None, "it was in the queue again, and in Prefect never"
    line.fault = None
    assert await dispatcher.dispatch() == 0
    assert await flow_runs(run_id) == []


async def test_a_deployment_that_was_deleted_is_made_anew(
    database, dispatcher, client, accept, read, flow_runs, monkeypatch
):
    monkeypatch.setattr(dispatch, "REST_SECONDS", 0.0)
    run_id = await accept()
    playbook = await playbooks.read(database, (await read(run_id)).playbook_id)
    await client.delete_deployment(playbook.deployment_id)
    await dispatcher.dispatch()
    assert queued(await read(run_id))
    assert await dispatcher.dispatch() == 1
    assert await flow_runs(run_id) == [(await read(run_id)).flow_run_id]


async def _age(database, run_id: int) -> None:
    """As if the creation of the run had been tried a while ago."""
    async with database.begin() as connection:
        long_ago = func.now() - timedelta(seconds=TAKEOVER_SECONDS + 1)
        await connection.execute(
            update(runs).where(runs.c.id == run_id).values(dispatch_time=long_ago)
        )


async def test_a_run_is_not_offered_when_a_rule_came_after_it_was_taken(
    dispatcher, accept, monkeypatch
):
    registered = dispatcher.deployments.registered

    async def somebody_pauses(playbook):
        dispatcher.hints.drop()
        return await registered(playbook)

    monkeypatch.setattr(dispatcher.deployments, "registered", somebody_pauses)
    pool = dispatcher.settings.work_pool
    monkeypatch.setattr(dispatch_queue, "take", offered_to(pool, dispatch_queue.take))
    listener = dispatcher.hints.listen("one", 60, pool)
    await anext(listener)
    await accept()
    assert await dispatcher.dispatch() == 1
    assert await anext(listener) == {"work": True, "drop": True}
    assert await anext(listener) == {"work": True}
    monkeypatch.setattr(dispatcher.deployments, "registered", registered)
    await accept()
    assert await dispatcher.dispatch() == 1
    assert "offer" in await anext(listener)


async def test_runs_that_prefect_refuses_send_no_worker_to_look_for_them(
    dispatcher, line, accept, read
):
    async def refuses(request, _):
        return httpx.Response(422, request=request)

    listener = dispatcher.hints.listen("one", 0)
    assert await anext(listener) == {"work": True}
    line.fault = refuses
    failing = await accept()
    assert await dispatcher.dispatch() == 1
    assert queued(await read(failing))
    assert await anext(listener) == {}
    line.fault = None
    await accept("other")
    assert await dispatcher.dispatch() == 1
    assert await anext(listener) == {"work": True}


async def test_runs_of_a_broken_playbook_send_no_worker_to_look_for_them(dispatcher, accept, read):
    listener = dispatcher.hints.listen("one", 0)
    assert await anext(listener) == {"work": True}
    run_id = await accept("broken")
    assert await dispatcher.dispatch() == 1
    assert (await read(run_id)).status == "failed"
    assert await anext(listener) == {}


def offered_to(pool, take):
    """Takes runs as if their work queue had no rules."""

    async def taken(*args, **options):
        runs = await take(*args, **options)
        return [replace(run, work_pool=pool, asks=False) for run in runs]

    return taken
