"""An ended flow run that something in Prefect keeps changing is set back, and not for ever."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from uuid import UUID

import httpx
import pytest
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Completed, Failed

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.runs import reconcile
from prefect_phantom.adapters.prefect.runs.judgement import SetState
from prefect_phantom.adapters.prefect.runs.reconcile import MOST_SET_BACK, Reconciler
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.runs.unsettled_runs import UnsettledRun, Which


def ended(id_: int) -> UnsettledRun:
    return UnsettledRun(id_, UUID(int=id_), "success", "", "", False, False, False, 60.0)


@pytest.fixture
def settled(monkeypatch) -> list[int]:
    settled: list[int] = []

    async def settle(_database, run_id):
        settled.append(run_id)

    monkeypatch.setattr(reconcile.unsettled_runs, "settle", settle)
    return settled


def reconciler(set_flow_run_state) -> Reconciler:
    return Reconciler(
        database=None,
        client=SimpleNamespace(set_flow_run_state=set_flow_run_state),
        settings=Settings(),
        signal=Signal(),
        hints=None,
    )


async def test_a_flow_run_that_never_gives_in_is_left_alone_after_a_while(settled):
    told = []

    async def set_flow_run_state(flow_run_id, _state, *, force):
        told.append((flow_run_id, force))
        return SimpleNamespace(status=SetStateStatus.ACCEPT)

    reconciling = reconciler(set_flow_run_state)
    for _ in range(3 * MOST_SET_BACK):
        await reconciling._carry_out(ended(1), SetState(Completed(), force=True))
    assert told == [(UUID(int=1), True)] * MOST_SET_BACK
    assert set(settled) == {1}
    await reconciling._carry_out(ended(2), SetState(Completed(), force=True))
    assert told[-1] == (UUID(int=2), True)


async def test_what_prefect_could_not_write_is_tried_until_it_can(settled):
    told = []

    async def set_flow_run_state(flow_run_id, _state, *, force):
        told.append((flow_run_id, force))
        request = httpx.Request("POST", "http://prefect/api")
        httpx.Response(500, request=request).raise_for_status()

    reconciling = reconciler(set_flow_run_state)
    for _ in range(3 * MOST_SET_BACK):
        with pytest.raises(httpx.HTTPStatusError):
            await reconciling._carry_out(ended(1), SetState(Completed(), force=True))
    assert told == [(UUID(int=1), True)] * 3 * MOST_SET_BACK
    assert settled == []


async def test_what_was_heard_of_is_kept_until_the_database_has_it(monkeypatch):
    class Away(Exception):
        pass

    heard = []

    async def unsettle(_database, flow_run_ids):
        heard.append(set(flow_run_ids))
        if len(heard) == 1:
            raise Away

    async def sweep(_which):
        raise Away

    monkeypatch.setattr(reconcile.unsettled_runs, "unsettle", unsettle)
    reconciling = reconciler(None)
    monkeypatch.setattr(reconciling, "sweep", sweep)
    reconciling.changed(UUID(int=1))
    for _ in range(3):
        with pytest.raises(Away):
            await reconciling.run()
    assert heard == [{UUID(int=1)}] * 2


async def test_one_that_prefect_does_not_let_be_settled_stops_no_other(monkeypatch):
    told = []

    async def set_flow_run_state(flow_run_id, _state, *, force):
        assert force
        told.append(flow_run_id)
        if flow_run_id == UUID(int=1):
            request = httpx.Request("POST", "http://prefect/api")
            httpx.Response(500, request=request).raise_for_status()
        return SimpleNamespace(status=SetStateStatus.ACCEPT)

    async def read_page(_database, _which, *, after, limit):
        return [ended(id_) for id_ in (1, 2) if id_ > after][:limit]

    async def read_flow_runs(**_):
        return [SimpleNamespace(id=UUID(int=id_), state=Failed()) for id_ in (1, 2)]

    monkeypatch.setattr(reconcile.unsettled_runs, "read_page", read_page)
    reconciling = reconciler(set_flow_run_state)
    reconciling.client.read_flow_runs = read_flow_runs
    with pytest.raises(ExceptionGroup, match="Prefect does not do what it is told"):
        await reconciling.sweep()
    assert told == [UUID(int=1), UUID(int=2)]


async def test_what_prefect_does_not_do_holds_up_nothing_else(
    monkeypatch, caplog: pytest.LogCaptureFixture
):
    swept, looked_back = [], asyncio.Event()

    async def sweep(which):
        swept.append(which)
        message = "Prefect does not do what it is told"
        raise ExceptionGroup(message, [httpx.DecodingError("500")])

    async def look_back():
        looked_back.set()

    reconciling = reconciler(None)
    monkeypatch.setattr(reconciling, "sweep", sweep)
    monkeypatch.setattr(reconciling, "look_back", look_back)
    reconciling.missed()
    running = asyncio.create_task(reconciling.run())
    hearing = asyncio.create_task(looked_back.wait())
    await asyncio.wait({running, hearing}, return_when=asyncio.FIRST_COMPLETED)
    assert looked_back.is_set()
    for number in range(2, 5):
        reconciling.signal.notify()
        while len(swept) < number:
            assert not running.done()
            await asyncio.sleep(0)
    running.cancel()
    assert swept == [Which.ALL, *[Which.CANCELLING] * 3]
    told = [each.message for each in caplog.records if each.exc_info]
    assert told == ["Some runs were not settled, and are tried again"] * 2  # once for each of both
