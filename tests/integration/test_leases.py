"""Leases on a real PostgreSQL: who may go on, who ends, and who starts again."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.errors import Superseded
from prefect_phantom.adapters.gateway.sweeper import INTERRUPTION_SECONDS, Sweeper
from prefect_phantom.adapters.store.database.availability import is_outage
from prefect_phantom.adapters.store.database.database import SERVER_SETTINGS, Database
from prefect_phantom.adapters.store.runs import attempts, leases, unsettled_runs
from prefect_phantom.adapters.store.runs.leases import LEASE_SECONDS, GoneProcess
from prefect_phantom.adapters.store.starts import idempotency_keys, overdue_runs
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks
from prefect_phantom.flows.process.guardian import lease
from prefect_phantom.flows.process.warm.run import COMPLETED

PAST = text("now() - interval '1 second'")


@pytest.fixture
async def restartable(shop):
    async def mark(value: bool) -> None:
        async with shop.database.begin() as connection:
            await connection.execute(update(playbooks).values(restartable=value))

    await mark(True)
    yield
    await mark(False)


@pytest.fixture
async def steady(shop):
    """A sweeper that has seen the database for a whole lease, and the time of its next look."""
    sweeper = Sweeper(database=shop.database, reconcile=Signal())
    for second in range(0, LEASE_SECONDS + 10, 10):
        await sweeper.sweep(1000.0 + second)
    return sweeper, 1000.0 + LEASE_SECONDS + 10


async def expired(shop) -> attempts.Claim:
    claim = await shop.claim()
    await shop.change(claim.playbook_run_id, lease_expire_time=PAST)
    return claim


async def test_a_claimed_run_has_a_lease_that_its_worker_renews(shop):
    request = await shop.hand_over()
    claim = await shop.claim(request)
    await shop.change(claim.playbook_run_id, lease_expire_time=PAST)
    await leases.renew(shop.database, "another", [request.flow_run_id])
    assert await lease_left(shop, claim.playbook_run_id) < 0
    await leases.renew(shop.database, request.worker, [request.flow_run_id])
    assert 0 < await lease_left(shop, claim.playbook_run_id) <= LEASE_SECONDS


@asynccontextmanager
async def locked(shop, run_id: int):
    """Somebody works on the run, and goes no further."""
    async with shop.database.begin() as connection:
        await connection.execute(select(runs.c.id).where(runs.c.id == run_id).with_for_update())
        yield


async def test_a_run_that_somebody_has_locked_holds_up_no_other_renewal(shop):
    (stuck, held), (free, renewed) = [
        (request := await shop.hand_over(), await shop.claim(request)) for _ in range(2)
    ]
    for claim in (held, renewed):
        await shop.change(claim.playbook_run_id, lease_expire_time=PAST)
    ids = [stuck.flow_run_id, free.flow_run_id]
    database = Database(shop.database.url, lock_seconds=0.05)
    async with locked(shop, held.playbook_run_id):
        await leases.renew(database, stuck.worker, ids)
        assert await lease_left(shop, renewed.playbook_run_id) > 0
        # It is not lost either: neither its guardian nor the sweeper ends it for that.
        assert await unsettled_runs.refused(database, ids) == []
        assert held.playbook_run_id not in await leases.end_expired(database)
    await leases.renew(database, stuck.worker, ids)
    assert await lease_left(shop, held.playbook_run_id) > 0
    await database.close()


async def test_a_run_that_somebody_works_on_is_renewed_after_that(shop):
    request = await shop.hand_over()
    claim = await shop.claim(request)
    await shop.change(claim.playbook_run_id, lease_expire_time=PAST)
    async with locked(shop, claim.playbook_run_id):
        renewing = asyncio.create_task(
            leases.renew(shop.database, request.worker, [request.flow_run_id])
        )
        async with shop.database.read() as connection:
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not await connection.scalar(waits):
                await asyncio.sleep(0.01)
    await renewing
    assert await lease_left(shop, claim.playbook_run_id) > 0


async def test_what_a_process_that_stands_still_has_locked_is_free_after_a_while(shop, monkeypatch):
    name = "idle_in_transaction_session_timeout"
    assert SERVER_SETTINGS[name] == "15s"
    monkeypatch.setitem(SERVER_SETTINGS, name, "50")
    stopped = Database(shop.database.url)
    claim = await shop.claim()

    async def stand_still() -> None:
        async with stopped.begin() as connection:
            query = select(runs.c.id).where(runs.c.id == claim.playbook_run_id)
            await connection.execute(query.with_for_update())
            # Another one waits for it, and gets it.
            await attempts.end(shop.database, claim.token, "success", "")
            await connection.execute(query)

    with pytest.raises(DBAPIError) as raised:
        await stand_still()
    assert is_outage(raised.value)
    await stopped.close()


async def test_a_lease_that_is_over_waits_for_no_look_at_the_queue(shop, steady, monkeypatch):
    async def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(overdue_runs, "end_overdue", fail)
    monkeypatch.setattr(idempotency_keys, "delete_old", fail)
    sweeper, now = steady
    claim = await expired(shop)
    await sweeper.sweep(now)
    assert (await shop.read(claim.playbook_run_id)).message == leases.LEASE_LOST


async def test_a_run_whose_lease_is_over_fails_and_its_process_is_refused_everything(shop):
    claim = await expired(shop)
    held = await shop.claim()
    assert await leases.end_expired(shop.database) == [claim.playbook_run_id]
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.message) == ("failed", leases.LEASE_LOST)
    assert (await shop.read(held.playbook_run_id)).status == "running"
    with pytest.raises(Superseded):
        await shop.start_action(claim.token)
    with pytest.raises(Superseded):
        await attempts.end(shop.database, claim.token, "success", "")


async def test_a_cancelled_run_whose_lease_is_over_ends_cancelled(shop):
    claim = await expired(shop)
    await shop.cancel(claim.playbook_run_id)
    await leases.end_expired(shop.database)
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.cancelled) == ("failed", "Cancelled by operator")


@pytest.mark.usefixtures("restartable")
async def test_a_restartable_run_gets_a_new_attempt_and_the_old_one_is_fenced_off(shop):
    request = await shop.hand_over()
    old = await shop.claim(request)
    action_run_id, _ = await shop.start_action(old.token)
    await shop.change(old.playbook_run_id, lease_expire_time=PAST)
    await leases.end_expired(shop.database)
    row = await shop.read(old.playbook_run_id)
    assert (row.status, row.restarting, row.claim_id) == ("running", True, None)
    with pytest.raises(Superseded):
        await shop.end_action(old.token, action_run_id)
    new = await shop.claim(replace(request, claim_id=uuid4()))
    assert new.playbook_run_id == old.playbook_run_id
    assert new.attempt == old.attempt + 1
    with pytest.raises(Superseded):
        await attempts.end(shop.database, old.token, "success", "")
    await attempts.end(shop.database, new.token, "success", "")
    assert (await shop.read(old.playbook_run_id)).status == "success"


@pytest.mark.usefixtures("restartable")
async def test_a_restarted_run_is_looked_at_until_prefect_has_scheduled_it_again(shop):
    claim = await expired(shop)
    await leases.end_expired(shop.database)

    async def seen() -> list[tuple[int, bool]]:
        page = await unsettled_runs.read_page(
            shop.database, unsettled_runs.Which.ENDING, after=claim.playbook_run_id - 1, limit=1
        )
        return [(run.id, run.restarting) for run in page]

    assert await seen() == [(claim.playbook_run_id, True)]
    await unsettled_runs.restarted(shop.database, claim.playbook_run_id)
    assert await seen() == []


@pytest.mark.usefixtures("restartable")
async def test_a_run_that_costs_every_worker_its_life_is_not_started_for_ever(shop):
    request = await shop.hand_over()
    for attempt in range(1, leases.MOST_ATTEMPTS + 1):
        claim = await shop.claim(replace(request, claim_id=uuid4()))
        assert claim.attempt == attempt
        await shop.change(claim.playbook_run_id, lease_expire_time=PAST)
        await leases.end_expired(shop.database)
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.message) == ("failed", leases.LEASE_LOST)


@pytest.mark.usefixtures("restartable")
async def test_a_stop_of_the_system_starts_nothing_again(shop):
    worker = uuid4().hex
    claim = await shop.claim(replace(await shop.hand_over(), worker=worker))
    await leases.end_held_by(shop.database, worker, "m", reason=unsettled_runs.STOPPED, final=True)
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.message) == ("failed", unsettled_runs.STOPPED)


async def test_a_guardian_ends_the_run_of_the_very_process_that_is_gone(shop):
    request = await shop.hand_over()
    claim = await shop.claim(request)

    async def gone(worker: str, process_id: int) -> list[int]:
        process = GoneProcess(request.flow_run_id, process_id)
        return await leases.end_gone(shop.database, worker, [process])

    assert await gone("another", request.process_id) == []
    assert await gone(request.worker, request.process_id + 1) == []
    assert await gone(request.worker, request.process_id) == [claim.playbook_run_id]
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.message) == ("failed", leases.WORKER_GONE)


async def test_the_end_of_a_process_ends_the_run_only_if_that_process_held_it(shop):
    request = await shop.hand_over()
    claim = await shop.claim(request)

    async def exited(process_id: int, code: int) -> str:
        await unsettled_runs.end_exited(
            shop.database, request.flow_run_id, process_id=process_id, code=code
        )
        return (await shop.read(claim.playbook_run_id)).message

    # A second process of the flow run, which was turned away.
    assert await exited(request.process_id + 1, 0) == ""
    assert await exited(request.process_id, -9) == "The run's process died: signal 9"


async def test_an_ended_run_is_compared_with_prefect_again_after_a_process_of_it_was_there(shop):
    request = await shop.hand_over()
    claim = await shop.claim(request)
    await attempts.end(shop.database, claim.token, "success", "")
    await unsettled_runs.settle(shop.database, claim.playbook_run_id)
    await unsettled_runs.end_exited(
        shop.database, request.flow_run_id, process_id=request.process_id, code=0
    )
    assert not (await shop.read(claim.playbook_run_id)).settled
    await unsettled_runs.settle(shop.database, claim.playbook_run_id)
    with pytest.raises(Superseded):
        await shop.claim(replace(request, claim_id=uuid4()))
    assert not (await shop.read(claim.playbook_run_id)).settled


@pytest.mark.parametrize(
    ("changed", "other", "settled"),
    [
        ({}, 0, True),
        ({}, 1, False),  # the end of a second process says nothing of the first one's
        ({"status": "failed"}, 0, False),
        ({"cancel_time": PAST}, 0, False),
    ],
)
async def test_a_run_is_settled_by_its_process_only_where_prefects_end_is_the_rows(
    shop, changed, other, settled
):
    request = await shop.hand_over()
    claim = await shop.claim(request)
    await shop.change(claim.playbook_run_id, **{"status": "success", "end_time": PAST, **changed})
    await unsettled_runs.end_exited(
        shop.database,
        request.flow_run_id,
        process_id=request.process_id + other,
        code=COMPLETED,
        completed=True,
    )
    assert (await shop.read(claim.playbook_run_id)).settled is settled


async def test_a_completed_run_that_has_not_reported_its_end_is_not_called_a_success(shop):
    request = await shop.hand_over()
    claim = await shop.claim(request)
    await unsettled_runs.end_exited(
        shop.database,
        request.flow_run_id,
        process_id=request.process_id,
        code=COMPLETED,
        completed=True,
    )
    row = await shop.read(claim.playbook_run_id)
    assert (row.status, row.settled) == ("failed", False)


async def test_a_lease_that_is_over_ends_its_run_once_the_database_was_seen_for_a_whole_one(
    shop, steady
):
    claim = await expired(shop)
    fresh = Sweeper(database=shop.database, reconcile=Signal())
    await fresh.sweep(1000.0)
    assert (await shop.read(claim.playbook_run_id)).status == "running"
    sweeper, now = steady
    await sweeper.sweep(now)
    assert (await shop.read(claim.playbook_run_id)).status == "failed"


@pytest.mark.parametrize("jump", [INTERRUPTION_SECONDS + 1, -1.0])
async def test_after_an_interruption_a_whole_lease_passes_before_any_run_ends(shop, steady, jump):
    claim = await expired(shop)
    sweeper, now = steady
    now += jump - 10 if jump > 0 else jump - 20
    await sweeper.sweep(now + 10)
    for second in range(20, LEASE_SECONDS + 10, 10):
        await sweeper.sweep(now + second)
        assert (await shop.read(claim.playbook_run_id)).status == "running"
    await sweeper.sweep(now + LEASE_SECONDS + 10)
    assert (await shop.read(claim.playbook_run_id)).status == "failed"


async def lease_left(shop, run_id: int) -> float:
    left = func.extract("epoch", runs.c.lease_expire_time - func.now())
    async with shop.database.begin() as connection:
        return float(await connection.scalar(select(left).where(runs.c.id == run_id)))


def test_gateway_and_guardian_mean_the_same_lease():
    assert lease.LEASE_SECONDS == LEASE_SECONDS
