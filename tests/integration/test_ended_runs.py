"""Runs that have ended on a real PostgreSQL: what may still change, and who ends what is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.states import Completed, Running
from sqlalchemy import func
from sqlalchemy.exc import DBAPIError

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.runs.reconcile import Reconciler
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.runs import attempts, leases
from prefect_phantom.adapters.store.runs import unsettled_runs as unsettled
from prefect_phantom.adapters.store.runs.attempts import Claim


@pytest.mark.parametrize(
    "column_and_value",
    [
        {"status": "success"}, {"status": "running"}, {"message": "other"}, {"cancelled": "x"},
        {"result": [1]}, {"outputs": ["x"]}, {"end_time": None}, {"update_time": func.now()},
        {"start_time": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)  # fmt: skip
async def test_nothing_that_callers_see_of_an_ended_run_can_change(shop, column_and_value):
    claim = await shop.claim()
    await attempts.end(shop.database, claim.token, "failed", "boom")
    before = await shop.read(claim.playbook_run_id)
    with pytest.raises(DBAPIError, match="has ended and cannot change"):
        await shop.change(claim.playbook_run_id, **column_and_value)
    assert await shop.read(claim.playbook_run_id) == before


async def test_what_only_we_see_of_an_ended_run_may_still_change(shop):
    claim = await shop.claim()
    await attempts.end(shop.database, claim.token, "failed", "boom")
    await unsettled.settle(shop.database, claim.playbook_run_id)
    assert (await shop.read(claim.playbook_run_id)).settled


async def test_what_was_changed_while_nobody_listened_is_looked_at_again(shop, monkeypatch):
    """Of what ended in the last hour; what agrees is left as it is."""
    requests = [await shop.hand_over() for _ in range(2)]
    for request in requests:
        claim = await shop.claim(request)
        await attempts.end(shop.database, claim.token, "success", "")
        await unsettled.settle(shop.database, claim.playbook_run_id)
    changed, agreed = (request.flow_run_id for request in requests)
    states = {changed: Running(), agreed: Completed()}
    asked = []

    async def read_flow_runs(*, flow_run_filter, limit):
        asked.extend(flow_run_filter.id.any_)
        return [
            SimpleNamespace(id=id_, state=states[id_])
            for id_ in flow_run_filter.id.any_
            if id_ in states
        ][:limit]

    reconciler = Reconciler(
        database=shop.database,
        client=SimpleNamespace(read_flow_runs=read_flow_runs),
        settings=Settings(),
        signal=Signal(),
        hints=None,
    )
    await reconciler.look_back()
    assert reconciler._changed == {changed}
    assert {changed, agreed} <= set(asked)
    asked.clear()
    monkeypatch.setattr(unsettled, "LATELY", timedelta(0))
    await reconciler.look_back()
    assert asked == []


async def test_an_open_run_is_never_settled(shop):
    run_id = (await shop.claim()).playbook_run_id
    await unsettled.settle(shop.database, run_id)
    assert not (await shop.read(run_id)).settled


async def test_every_open_run_of_a_worker_that_is_gone_ends(shop):
    async def claim(worker: str) -> Claim:
        return await shop.claim(replace(await shop.hand_over(), worker=worker))

    worker = uuid4().hex
    held, cancelled, ended = [await claim(worker) for _ in range(3)]
    other = await claim("other")
    await attempts.end(shop.database, ended.token, "success", "")
    await shop.cancel(cancelled.playbook_run_id)
    gone = await leases.end_held_by(
        shop.database, worker, "m", reason=leases.WORKER_GONE, final=False
    )
    assert sorted(gone) == [held.playbook_run_id, cancelled.playbook_run_id]
    row = await shop.read(held.playbook_run_id)
    assert (row.status, row.message, row.settled) == ("failed", leases.WORKER_GONE, False)
    row = await shop.read(cancelled.playbook_run_id)
    assert (row.status, row.cancelled) == ("failed", "Cancelled by operator")
    assert (await shop.read(ended.playbook_run_id)).status == "success"
    assert (await shop.read(other.playbook_run_id)).status == "running"


@pytest.mark.parametrize("seen_by", ["worker", "reconciler"])
async def test_stopped_with_the_system_outranks_the_crash_that_follows_from_it(shop, seen_by):
    worker = uuid4().hex
    claim = await shop.claim(replace(await shop.hand_over(), worker=worker))
    run_id = claim.playbook_run_id
    await unsettled.note_worker_stopping(shop.database, worker, "m")
    assert (await shop.read(run_id)).status == "running"
    if seen_by == "worker":
        await leases.end_held_by(shop.database, worker, "m", reason="The process died", final=True)
    else:
        (run,) = await unsettled.read_page(shop.database, after=run_id - 1, limit=1)
        await unsettled.end(shop.database, run, "failed", "The process died", settled=True)
    row = await shop.read(run_id)
    assert (row.status, row.message) == ("failed", unsettled.STOPPED)


async def test_a_run_that_succeeds_while_its_worker_stops_says_nothing_of_it(shop):
    worker = uuid4().hex
    claim = await shop.claim(replace(await shop.hand_over(), worker=worker))
    await unsettled.note_worker_stopping(shop.database, worker, "m")
    await attempts.end(shop.database, claim.token, "success", "")
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.message) == ("success", "")


async def test_an_end_seen_twice_leaves_the_first(shop):
    run_id = (await shop.claim()).playbook_run_id
    (run,) = await unsettled.read_page(shop.database, after=run_id - 1, limit=1)
    assert await unsettled.end(shop.database, run, "success", "", settled=True)
    assert not await unsettled.end(shop.database, run, "failed", "Deleted", settled=True)
    assert (await shop.read(run_id)).status == "success"
