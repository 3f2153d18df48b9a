"""The queue on a real PostgreSQL: who takes which run, and what becomes of the others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text, update

from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.runs import playbook_runs, unsettled_runs
from prefect_phantom.adapters.store.starts import dispatch_queue, overdue_runs, run_requests
from prefect_phantom.adapters.store.starts.dispatch_queue import BATCH, TAKEOVER_SECONDS
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

PATIENCE = 10.0


@pytest.fixture(scope="module")
async def request_(database) -> RunRequest:
    hunt = FoundPlaybook(repository="local", name="hunt", folder="/p", entrypoint="hunt.py:hunt")
    await save_found(database, [hunt])
    new = ContainerFields(name="c", label="events")
    container_id, _ = await new_containers.create(database, new)
    return RunRequest(container_id=container_id, playbook="hunt", scope="all")


@pytest.fixture
async def accept(database, request_):
    """Accepts so many runs on an empty queue; returns their ids."""
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbook_runs CASCADE"))

    async def accept(count: int, **fields) -> list[int]:
        wanted = replace(request_, **fields)
        return [
            await run_requests.accept(database, wanted, repositories=["local"])
            for _ in range(count)
        ]

    return accept


@pytest.fixture
def change(database):
    """Writes columns of a run."""

    async def change(run_id: int, **columns):
        async with database.begin() as connection:
            await connection.execute(update(runs).where(runs.c.id == run_id).values(**columns))

    return change


@pytest.fixture
def take(database):
    """Takes runs as a dispatcher does; returns their ids."""

    async def take(window: int = 100) -> list[int]:
        return [run.id for run in await dispatch_queue.take(database, window=window)]

    return take


@pytest.fixture
def read(database):
    async def read(run_id: int):
        async with database.begin() as connection:
            return (await connection.execute(select(runs).where(runs.c.id == run_id))).one()

    return read


def ago(seconds: float):
    return func.now() - timedelta(seconds=seconds)


class Undecided:
    """A database whose next transaction stays open, all its work done, until it is released."""

    def __init__(self, database) -> None:
        self.database = database
        self.done = asyncio.Event()
        self.release = asyncio.Event()

    @asynccontextmanager
    async def begin(self):
        async with self.database.begin() as connection:
            yield connection
            self.done.set()
            await self.release.wait()


async def test_the_first_to_come_is_the_first_to_be_taken(accept, take):
    first, second, third = await accept(3)
    assert await take(window=2) == [first, second]
    assert await take(window=3) == [third]


LOWER = timedelta(minutes=10)


async def test_a_run_of_higher_priority_overtakes_those_that_came_before(accept, take):
    automations = await accept(2, queue_delay=LOWER)
    manual = await accept(2)
    assert await take(window=1) == manual[:1]
    assert await take(window=4) == [manual[1], *automations]


async def test_an_endless_stream_of_higher_priority_does_not_starve_the_rest(accept, take, change):
    begin = datetime.now(UTC)
    (waiting,) = await accept(1)
    await change(waiting, queue_time=begin + LOWER)
    came: dict[int, int] = {}
    taken: list[int] = []
    # Twice as many come each minute as are taken.
    for minute in range(30):
        for run_id in await accept(2):
            await change(run_id, queue_time=begin + timedelta(minutes=minute, seconds=1))
            came[run_id] = minute
        (next_,) = await take(window=1)
        await change(next_, claim_id=uuid4(), claim_time=func.now())
        taken.append(next_)
    place = taken.index(waiting)
    assert {came[run_id] for run_id in taken[:place]} == set(range(10))
    assert {came[run_id] for run_id in taken[place + 1 :]} == set(range(10, 15))


async def test_a_run_is_taken_with_all_that_its_creation_needs(database, accept, read, request_):
    (run_id,) = await accept(1)
    (taken,) = await dispatch_queue.take(database, window=1)
    row = await read(run_id)
    assert (taken.id, taken.container_id) == (run_id, request_.container_id)
    assert (taken.playbook_id, taken.dispatch_key) == (row.playbook_id, row.dispatch_key)


async def test_two_dispatchers_at_once_never_take_the_same_run_nor_exceed_the_window(
    database, accept, take
):
    accepted = await accept(4)
    other = Undecided(database)
    taking = asyncio.create_task(dispatch_queue.take(other, window=3))
    async with asyncio.timeout(PATIENCE):
        await other.done.wait()
        mine = asyncio.create_task(take(window=3))
        await _until_it_waits_for_a_lock(database, mine)
    other.release.set()
    assert [run.id for run in await taking] == accepted[:3]
    assert await mine == []


async def test_many_dispatchers_together_fill_the_window_once(accept, take):
    accepted = await accept(40)
    taken = await asyncio.gather(*(take(window=30) for _ in range(8)))
    assert sorted(len(share) for share in taken) == [0] * 7 + [30]
    rest = await take(window=200)
    assert sorted([run_id for share in [*taken, rest] for run_id in share]) == accepted


async def test_no_more_runs_stand_in_prefect_than_the_window_allows(database, accept, take, change):
    accepted = await accept(4)
    assert await take(window=3) == accepted[:3]
    assert await take(window=3) == []
    await dispatch_queue.record(database, {run_id: uuid4() for run_id in accepted[:3]})
    assert await take(window=3) == []
    await change(accepted[0], claim_id=uuid4(), claim_time=func.now())
    assert await take(window=3) == [accepted[3]]


async def test_a_run_that_has_ended_in_prefect_frees_its_place(database, accept, take):
    first, second = await accept(2)
    assert await take(window=1) == [first]
    await dispatch_queue.refuse(database, [first], "no")
    assert await take(window=1) == [second]


async def test_a_dispatcher_takes_no_more_than_a_batch(database, accept, take):
    await accept(1)
    columns = ["playbook_id", "container_id", "scope"]
    more = select(*(runs.c[name] for name in columns), func.generate_series(1, BATCH))
    async with database.begin() as connection:
        source = more.subquery()
        await connection.execute(
            insert(runs).from_select(columns, select(*(source.c[name] for name in columns)))
        )
    assert len(await take(window=200)) == BATCH
    assert len(await take(window=200)) == 1


async def test_a_run_whose_creation_has_no_outcome_is_taken_over(database, accept, change):
    (run_id,) = await accept(1)
    (first,) = await dispatch_queue.take(database, window=1)
    await change(run_id, dispatch_time=ago(TAKEOVER_SECONDS + 1))
    (second,) = await dispatch_queue.take(database, window=1)
    # The key makes Prefect return the first flow run, should there be one.
    assert second == replace(first, again=True)


async def test_a_run_that_is_being_created_is_left_to_its_dispatcher(accept, take, change):
    (run_id,) = await accept(1)
    await take()
    await change(run_id, dispatch_time=ago(TAKEOVER_SECONDS - 5))
    assert await take() == []


async def test_a_run_that_is_in_prefect_is_never_taken_over(database, accept, take, change):
    (run_id,) = await accept(1)
    await take()
    await dispatch_queue.record(database, {run_id: uuid4()})
    await change(run_id, dispatch_time=ago(TAKEOVER_SECONDS * 1000))
    assert await take() == []


async def test_runs_without_an_outcome_do_not_block_the_window(accept, take, change):
    accepted = await accept(3)
    stuck = await take(window=2)
    for run_id in stuck:
        await change(run_id, dispatch_time=ago(TAKEOVER_SECONDS + 1))
    assert await take(window=3) == accepted


async def test_the_first_record_of_a_flow_run_stands(database, accept, take, read):
    (run_id,) = await accept(1)
    await take()
    first = uuid4()
    await dispatch_queue.record(database, {run_id: first})
    await dispatch_queue.record(database, {run_id: uuid4()})
    assert (await read(run_id)).flow_run_id == first


async def test_a_run_cancelled_while_queued_ends_at_once_and_is_never_taken(
    database, accept, take, read
):
    (run_id,) = await accept(1)
    await playbook_runs.request_cancel(database, run_id, user_id=None, text="Cancelled by me")
    row = await read(run_id)
    assert (row.status, row.cancelled, row.settled) == ("failed", "Cancelled by me", True)
    assert await take() == []


async def test_a_refused_run_ends_failed_and_says_why(database, accept, take, read):
    (run_id,) = await accept(1)
    await take()
    await dispatch_queue.refuse(database, [run_id], "SyntaxError: invalid syntax")
    row = await read(run_id)
    assert (row.status, row.message) == ("failed", "SyntaxError: invalid syntax")
    assert row.settled
    assert row.end_time is not None


async def test_a_run_that_nothing_started_in_time_ends_failed(database, accept, change, read):
    queued, in_prefect, young = await accept(3)
    await change(in_prefect, dispatch_time=func.now())
    await dispatch_queue.record(database, {in_prefect: uuid4()})
    for run_id in (queued, in_prefect):
        await change(run_id, queue_time=ago(7201), update_time=ago(7201))
    await change(young, queue_time=ago(7100), update_time=ago(7100))
    assert sorted(await overdue_runs.end_overdue(database, hours=2)) == [queued, in_prefect]
    for run_id in (queued, in_prefect):
        row = await read(run_id)
        assert (row.status, row.message) == ("failed", "No worker took the run within 2 hours")
    assert (await read(young)).status == "running"
    # Prefect is still to be told of the one that stands there.
    unsettled = await unsettled_runs.read_page(database, after=0, limit=10)
    assert [run.id for run in unsettled] == [in_prefect]


async def test_a_run_that_was_started_may_take_as_long_as_it_likes(database, accept, change, read):
    (run_id,) = await accept(1)
    old = {"queue_time": ago(7201), "update_time": ago(7201)}
    await change(run_id, **old, claim_id=uuid4(), claim_time=func.now())
    assert await overdue_runs.end_overdue(database, hours=2) == []
    assert (await read(run_id)).status == "running"


async def test_a_run_claimed_at_the_last_moment_is_not_overdue(database, accept, change, read):
    (run_id,) = await accept(1)
    await change(run_id, queue_time=ago(7201), update_time=ago(7201))
    async with database.begin() as connection:
        claimed = {"claim_id": uuid4(), "claim_time": func.now()}
        await connection.execute(update(runs).where(runs.c.id == run_id).values(**claimed))
        ending = asyncio.create_task(overdue_runs.end_overdue(database, hours=2))
        await _until_it_waits_for_a_lock(database, ending)
    assert await ending == []
    assert (await read(run_id)).status == "running"


async def _until_it_waits_for_a_lock(database, task: asyncio.Task) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(PATIENCE):
        while not task.done():
            async with database.begin() as connection:
                if await connection.scalar(waiting):
                    return
            await asyncio.sleep(0.01)
