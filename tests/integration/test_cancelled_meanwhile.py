"""A cancel made in Prefect is not overruled by what was decided a moment before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelling, Crashed, Pending, Running, Scheduled

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.runs.judgement import Restart, SetState, Verdict
from prefect_phantom.adapters.prefect.runs.reconcile import Reconciler
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.runs import unsettled_runs
from prefect_phantom.adapters.store.runs.unsettled_runs import UnsettledRun
from prefect_phantom.adapters.worker import states
from prefect_phantom.flows.inside import execution
from prefect_phantom.flows.inside.runtime.client import Superseded


@pytest.fixture
async def deployment_id(prefect: PrefectClient) -> AsyncIterator[UUID]:
    flow_id = await prefect.create_flow_from_name("cancelled-meanwhile")
    deployment_id = await prefect.create_deployment(flow_id=flow_id, name="hunt")
    yield deployment_id
    await prefect.delete_deployment(deployment_id)


@pytest.fixture
def begun(prefect: PrefectClient, deployment_id: UUID):
    """Makes a flow run that is in this state."""

    async def begun(state: State) -> UUID:
        flow_run = await prefect.create_flow_run_from_deployment(deployment_id)
        # A cancel of one that has not begun would end it at once.
        for each in (Running(), state):
            await prefect.set_flow_run_state(flow_run.id, each, force=True)
        return flow_run.id

    return begun


@pytest.fixture
def reconciler(shop, prefect: PrefectClient) -> Reconciler:
    return Reconciler(
        database=shop.database,
        client=prefect,
        settings=Settings(),
        signal=Signal(),
        hints=Hints(lambda _: None),
    )


async def unsettled(shop, flow_run_id: UUID, **columns: object) -> UnsettledRun:
    """The row of a run, as the reconciler reads it."""
    run_id = await shop.accept()
    await shop.change(run_id, flow_run_id=flow_run_id, **columns)
    (run,) = await unsettled_runs.read_page(shop.database, after=run_id - 1, limit=1)
    return run


@pytest.mark.parametrize("verdict", [SetState(Scheduled()), Restart(force=False)], ids=str)
async def test_a_flow_run_that_is_being_cancelled_is_not_offered_again(
    shop, prefect: PrefectClient, begun, reconciler: Reconciler, verdict: Verdict
) -> None:
    flow_run_id = await begun(Cancelling())
    run = await unsettled(shop, flow_run_id, restarting=True)
    await reconciler._carry_out(run, verdict)
    assert (await prefect.read_flow_run(flow_run_id)).state_name == "Cancelling"
    assert (await shop.read(run.id)).restarting
    await reconciler.sweep()
    await reconciler.sweep()
    row = await shop.read(run.id)
    assert (row.status, row.cancelled) == ("failed", "Cancelled in Prefect")
    assert (await prefect.read_flow_run(flow_run_id)).state_name == "Cancelled"


@pytest.mark.parametrize("make", [Running, Pending, Crashed])
async def test_any_other_one_is_offered_again(
    shop, prefect: PrefectClient, begun, reconciler: Reconciler, make
) -> None:
    flow_run_id = await begun(make())
    run = await unsettled(shop, flow_run_id, restarting=True)
    await reconciler.sweep()
    assert (await prefect.read_flow_run(flow_run_id)).state_name == "Scheduled"
    assert not (await shop.read(run.id)).restarting


async def test_a_process_that_is_turned_away_overrules_no_cancel(
    prefect: PrefectClient, begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_run_id = await begun(Cancelling())
    told = []

    @contextmanager
    def get_client(**_: object):
        yield SimpleNamespace(
            # As it was just before.
            read_flow_run=lambda _: SimpleNamespace(state=Running()),
            set_flow_run_state=lambda *state, **force: told.append((state, force)),
        )

    monkeypatch.setattr(execution, "get_client", get_client)
    flow_run = SimpleNamespace(id=str(flow_run_id), run_count=1)
    monkeypatch.setattr(execution, "flow_run", flow_run)
    execution._schedule_again(Superseded("other code", held_elsewhere=False))
    ((state, force),) = told
    await prefect.set_flow_run_state(*state, **force)
    assert (await prefect.read_flow_run(flow_run_id)).state_name == "Cancelling"


@pytest.fixture
async def claimed(prefect: PrefectClient, deployment_id: UUID) -> FlowRun:
    """A flow run that a worker has claimed, and then found that it cannot begin."""
    flow_run = await prefect.create_flow_run_from_deployment(deployment_id)
    assert await states.claim(prefect, flow_run)
    return flow_run


GIVEN_UP = {partial(states.put_back, seconds=5.0): "Scheduled", states.crash: "Crashed"}
GIVE_UP = pytest.mark.parametrize("give_up", GIVEN_UP, ids=GIVEN_UP.values())


@GIVE_UP
async def test_a_worker_that_cannot_begin_a_run_overrules_no_cancel(
    prefect: PrefectClient, claimed: FlowRun, give_up
) -> None:
    await prefect.set_flow_run_state(claimed.id, Cancelling())
    await give_up(prefect, claimed, "It does not import")
    assert (await prefect.read_flow_run(claimed.id)).state_name == "Cancelled"


@GIVE_UP
async def test_a_cancel_in_the_very_moment_is_not_overruled_either(
    prefect: PrefectClient, claimed: FlowRun, give_up, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = prefect.read_flow_run

    async def read_and_cancel(flow_run_id: UUID) -> FlowRun:
        flow_run = await read(flow_run_id)
        await prefect.set_flow_run_state(flow_run_id, Cancelling())
        return flow_run

    monkeypatch.setattr(prefect, "read_flow_run", read_and_cancel)
    await give_up(prefect, claimed, "It does not import")
    assert (await read(claimed.id)).state_name == "Cancelled"


@GIVE_UP
async def test_a_run_that_another_worker_has_meanwhile_is_left_to_it(
    prefect: PrefectClient, claimed: FlowRun, give_up
) -> None:
    await prefect.set_flow_run_state(claimed.id, Scheduled(), force=True)
    other = await prefect.read_flow_run(claimed.id)
    assert await states.claim(prefect, other)
    await give_up(prefect, claimed, "It does not import")
    assert (await prefect.read_flow_run(claimed.id)).state_name == "Pending"
    await give_up(prefect, other, "It does not import")
    assert (await prefect.read_flow_run(claimed.id)).state_name == GIVEN_UP[give_up]


@GIVE_UP
async def test_a_run_that_was_deleted_meanwhile_is_no_error(
    prefect: PrefectClient, claimed: FlowRun, give_up
) -> None:
    await prefect.delete_flow_run(claimed.id)
    await give_up(prefect, claimed, "It does not import")
