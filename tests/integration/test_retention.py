"""What is removed because it is old, and what stays although it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update

from prefect_phantom.adapters.errors import NotFound, Superseded
from prefect_phantom.adapters.gateway.retention import Retention
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts import users
from prefect_phantom.adapters.store.runs import attempts, playbook_runs, retention
from prefect_phantom.adapters.store.runs.attempts import Claim
from prefect_phantom.adapters.store.runs.retention import REMOVED, Busy, Limit
from prefect_phantom.adapters.store.runs.run_log import Line
from prefect_phantom.adapters.store.starts import run_requests
from prefect_phantom.adapters.store.starts.idempotency_keys import IdempotencyKey
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.tables.tables import action_runs, app_runs, run_log
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from tests.integration.shop import REPOSITORIES, Shop

WEEK = Settings(keep_run_days=7, keep_log_days=7, keep_audit_days=7)


@pytest.fixture
def sweep(database):
    async def sweep(settings: Settings = WEEK) -> None:
        await Retention(database=database, settings=settings).sweep()

    return sweep


async def end(shop: Shop, claim: Claim, *, days: float = 8, **columns) -> int:
    """End a run with all that belongs to one, and have it be so old."""
    await shop.start_action(claim.token)
    now = datetime.now(UTC)
    lines = [Line(place, now, 1, "line") for place in range(3)]
    await attempts.end(shop.database, claim.token, "success", "", lines)
    await age(shop, claim.playbook_run_id, days, **{"settled": True, **columns})
    return claim.playbook_run_id


async def age(shop: Shop, run_id: int, days: float, **columns) -> None:
    """Move a run, its log and its key into the past, as the clock would."""
    ago = timedelta(days=days)
    async with shop.database.begin() as connection:
        await connection.execute(text("ALTER TABLE playbook_runs DISABLE TRIGGER USER"))
        moved = {name: runs.c[name] - ago for name in ("start_time", "end_time", "update_time")}
        await connection.execute(update(runs).where(runs.c.id == run_id).values(**moved, **columns))
        await connection.execute(text("ALTER TABLE playbook_runs ENABLE TRIGGER USER"))
        await connection.execute(
            update(run_log)
            .where(run_log.c.playbook_run_id == run_id)
            .values(time=run_log.c.time - ago)
        )


async def kept(shop: Shop, run_id: int) -> bool:
    try:
        await playbook_runs.read(shop.database, run_id)
    except NotFound:
        return False
    return True


async def count(shop: Shop, table, run_id: int) -> int:
    query = select(func.count()).where(table.c.playbook_run_id == run_id)
    async with shop.database.read() as connection:
        return (await connection.execute(query)).scalar_one()


async def test_an_old_run_goes_with_all_that_belongs_to_it_and_a_younger_one_stays(shop, sweep):
    old, young = await end(shop, await shop.claim()), await end(shop, await shop.claim(), days=6)
    before = REMOVED.labels("playbook_run")._value.get()
    await sweep()
    assert not await kept(shop, old)
    assert [await count(shop, table, old) for table in (action_runs, app_runs, run_log)] == [0] * 3
    assert await kept(shop, young)
    assert [await count(shop, table, young) for table in (action_runs, run_log)] == [1, 3]
    assert REMOVED.labels("playbook_run")._value.get() == before + 1


async def test_nothing_is_removed_unless_a_setting_says_so(shop, sweep):
    old = await end(shop, await shop.claim(), days=4000)
    await sweep(Settings())
    assert await kept(shop, old)


async def test_a_run_that_has_not_ended_stays_however_old(shop, sweep):
    queued, claim = await shop.accept(), await shop.claim()
    line = Line(0, datetime.now(UTC), 1, "line")
    await attempts.log(shop.database, claim.token, [line])
    for run_id in (queued, claim.playbook_run_id):
        await age(shop, run_id, 400)
    await sweep(Settings(keep_run_days=7, keep_runs=1, keep_log_days=7, keep_log_lines=1))
    assert await kept(shop, queued)
    assert await kept(shop, claim.playbook_run_id)
    assert await count(shop, run_log, claim.playbook_run_id) == 1


async def test_a_run_that_prefect_has_not_been_seen_to_end_stays(shop, sweep):
    unsettled = await end(shop, await shop.claim(), settled=False)
    await sweep()
    assert await kept(shop, unsettled)


async def test_a_parent_stays_as_long_as_its_child(shop, sweep):
    parent = await end(shop, await shop.claim())
    child = await end(shop, await shop.claim(), days=1, parent_run_id=parent)
    await sweep()
    assert await kept(shop, parent)
    await age(shop, child, 8)
    await sweep()
    await sweep()
    assert not await kept(shop, child)
    assert not await kept(shop, parent)


async def test_what_was_not_new_before_a_run_was_removed_is_not_new_afterwards(shop, sweep):
    await shop.add_artifact()
    await end(shop, await shop.claim())
    await shop.add_artifact()
    newest = await end(shop, await shop.claim())
    of_ids = await end(shop, await shop.claim(await shop.hand_over(scope=[])))
    await sweep()
    assert not await kept(shop, newest)
    assert not await kept(shop, of_ids)
    seen = (await shop.claim(await shop.hand_over(scope="new"))).artifacts
    assert seen == []
    added = await shop.add_artifact()
    seen = (await shop.claim(await shop.hand_over(scope="new"))).artifacts
    assert [artifact["id"] for artifact in seen] == [added]


async def test_a_key_that_still_counts_gives_its_run_however_few_are_kept(shop, sweep, database):
    user_id = await users.ensure_administrator(database, "changeme")
    key = IdempotencyKey(user_id, uuid4().hex, b"hash")
    request = RunRequest(shop.container_id, "hunt", "all")
    run_id = await run_requests.accept(database, request, repositories=REPOSITORIES, key=key)
    await end(shop, await shop.claim(await shop.hand_over_run(run_id)), days=0.9)
    other = await end(shop, await shop.claim(), days=1.1)
    await end(shop, await shop.claim(), days=0)
    await sweep(Settings(keep_runs=1))
    again = await run_requests.accept(database, request, repositories=REPOSITORIES, key=key)
    assert again == run_id
    assert await kept(shop, run_id)
    assert not await kept(shop, other)


async def test_a_log_goes_by_itself_and_its_run_stays(shop, sweep):
    old, young = await end(shop, await shop.claim()), await end(shop, await shop.claim(), days=6)
    await sweep(Settings(keep_log_days=7))
    assert [await count(shop, run_log, each) for each in (old, young)] == [0, 3]
    await sweep(Settings(keep_log_lines=2))
    assert await count(shop, run_log, young) == 2
    assert await kept(shop, old)


async def test_a_long_log_goes_in_several_steps_before_its_run(shop, database, monkeypatch):
    monkeypatch.setattr(retention, "LINES", 2)
    old = await end(shop, await shop.claim())
    limit = await retention.limit(database, runs, age=timedelta(days=7), count=None)
    step = await retention.remove_runs(database, limit, old - 1)
    assert (step.removed, step.after) == (0, old - 1)
    assert await count(shop, run_log, old) == 1
    await retention.remove_runs(database, limit, old - 1)
    assert not await kept(shop, old)


async def test_a_run_that_began_in_prefect_does_not_run_again_when_its_row_is_gone(shop, sweep):
    request = shop.request()
    run_id = await end(shop, await shop.claim(request))
    await sweep()
    # "Retry" in Prefect's UI: the same flow run, whose tags show what it was.
    again = shop.request(flow_run_id=request.flow_run_id, former_id=run_id)
    with pytest.raises(Superseded, match=f"Playbook run {run_id} has been removed"):
        await shop.claim(again)
    # A copy of a run that is still there is a run of its own.
    present = await end(shop, await shop.claim(shop.request()), days=1)
    copy = await shop.claim(shop.request(former_id=present))
    assert copy.playbook_run_id > present


async def test_one_gateway_removes_at_a_time_and_gives_way_to_who_changes_a_run(shop, database):
    old = await end(shop, await shop.claim())
    limit = await retention.limit(database, runs, age=timedelta(days=7), count=None)
    async with database.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({retention.RETENTION_LOCK})"))
        with pytest.raises(Busy):
            await retention.remove_runs(database, limit, old - 1)
    async with database.begin() as connection:
        await connection.execute(select(runs).where(runs.c.id == old).with_for_update())
        assert (await retention.remove_runs(database, limit, old - 1)).removed == 0
    assert (await retention.remove_runs(database, limit, old - 1)).removed == 1


async def test_a_step_without_a_limit_removes_nothing(shop, database):
    old = await end(shop, await shop.claim(), days=4000)
    assert (await retention.remove_runs(database, Limit(None, 0), old - 1)).removed == 0
    assert (await retention.remove_entries(database, Limit(None, 0))).removed == 0
