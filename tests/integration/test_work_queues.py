"""Prefect's rules in our queue, on a real PostgreSQL: what is taken, what waits, for how long."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update

from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.starts import (
    dispatch_queue,
    overdue_runs,
    run_requests,
    work_queues,
)
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.starts.work_queues import WorkQueue
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.queue_tables import former_work_queues, work_queue_pauses
from prefect_phantom.adapters.store.tables.tables import playbook_runs, playbooks

NAMES = ("slow", "quick")
WINDOW = 4


def queue_id(name: str) -> UUID:
    return UUID(int=NAMES.index(name) + 1)


class Queues:
    """Two playbooks in work queues of their own, and the runs of both."""

    def __init__(self, database, container_id: int) -> None:
        self.database = database
        self.container_id = container_id

    async def say(self, **rules) -> None:
        """What Prefect says of the queues, by name; nothing of the others."""
        said = [WorkQueue(queue_id(name), "phantom", name, **rules.get(name, {})) for name in NAMES]
        await work_queues.note(self.database, said)

    async def accept(self, name: str, count: int = 1) -> list[int]:
        request = RunRequest(self.container_id, name, "all")
        return [
            await run_requests.accept(self.database, request, repositories=["local"])
            for _ in range(count)
        ]

    async def take(self, window: int = WINDOW) -> list[int]:
        return [run.id for run in await dispatch_queue.take(self.database, window=window)]

    async def change(self, table, *where, **columns) -> None:
        async with self.database.begin() as connection:
            await connection.execute(update(table).where(*where).values(**columns))

    async def claimed(self, run_ids: list[int]) -> None:
        await self.change(playbook_runs, playbook_runs.c.id.in_(run_ids), claim_time=func.now())


@pytest.fixture
async def queues(database) -> Queues:
    async with database.begin() as connection:
        await connection.execute(
            text(
                "TRUNCATE playbook_runs, work_queues, work_queue_pauses, former_work_queues CASCADE"
            )
        )
    found = [FoundPlaybook("local", name, folder="/p", entrypoint="p.py:p") for name in NAMES]
    await save_found(database, found)
    container_id, _ = await new_containers.create(
        database, ContainerFields(name="c", label="events")
    )
    queues = Queues(database, container_id)
    for name in NAMES:
        this = playbooks.c.name == name
        await queues.change(playbooks, this, work_queue_id=queue_id(name), deployment_id=uuid4())
    await queues.say()
    return queues


STOPPED = {"room": 0, "asks": True, "paused": True, "rule": "paused"}


@pytest.mark.attack(
    "more runs than fit are started for a paused work queue",
    "they wait in our queue, and those of other work queues start",
)
async def test_runs_of_a_paused_queue_stop_no_other_ones(queues):
    await queues.say(slow=STOPPED)
    slow = await queues.accept("slow", 2 * WINDOW)
    quick = await queues.accept("quick", 2)
    assert await queues.take() == quick
    await queues.say()
    assert await queues.take() == slow[:WINDOW]


async def test_the_window_is_counted_for_each_queue(queues):
    slow = await queues.accept("slow", WINDOW + 1)
    quick = await queues.accept("quick", WINDOW + 1)
    taken = await queues.take()
    assert sorted(taken) == slow[:WINDOW] + quick[:WINDOW]
    assert await queues.take() == []
    await queues.claimed(quick[:1])
    assert await queues.take() == quick[WINDOW:]


async def test_no_more_are_taken_than_may_start(queues):
    await queues.say(slow={"room": 2, "asks": True})
    slow = await queues.accept("slow", 3)
    assert await queues.take() == slow[:2]
    assert await queues.take() == []
    # One runs now, which Prefect counts itself.
    await queues.say(slow={"room": 1, "asks": True})
    await queues.claimed(slow[:1])
    assert await queues.take() == []
    await queues.claimed(slow[1:2])
    assert await queues.take() == slow[2:]


async def test_a_run_says_whether_prefect_is_to_be_asked_for_it(queues):
    await queues.say(slow={"asks": True})
    await queues.accept("slow")
    await queues.accept("quick")
    taken = await dispatch_queue.take(queues.database, window=WINDOW)
    assert [(run.work_pool, run.asks) for run in taken] == [("phantom", True), ("phantom", False)]


async def test_of_a_playbook_whose_queue_is_not_known_prefect_is_asked(queues):
    await queues.change(playbooks, playbooks.c.name == "quick", work_queue_id=None)
    await queues.accept("quick")
    (run,) = await dispatch_queue.take(queues.database, window=WINDOW)
    assert (run.work_pool, run.asks) == (None, True)


async def test_a_run_that_somebody_is_changing_is_left_for_the_next_time(queues):
    first, second = await queues.accept("quick", 2)
    held = text("SELECT FROM playbook_runs WHERE id = :id FOR UPDATE")
    async with queues.database.begin() as connection:
        await connection.execute(held, {"id": first})
        assert await queues.take() == [second]
    assert await queues.take() == [first]


async def test_a_queue_that_is_gone_in_prefect_holds_nothing(queues):
    await queues.say(slow=STOPPED)
    slow = await queues.accept("slow")
    await work_queues.note(queues.database, [WorkQueue(queue_id("quick"), "phantom", "quick")])
    assert await queues.take() == slow


async def test_what_prefect_says_is_kept_and_a_pause_is_noted_once(queues):
    for _ in range(2):
        await queues.say(slow=STOPPED)
    assert {queue.name: queue.rule for queue in await work_queues.read_all(queues.database)} == {
        "slow": "paused",
        "quick": "",
    }
    await queues.say()
    await queues.say(slow=STOPPED)
    async with queues.database.read() as connection:
        ends = await connection.scalars(
            work_queue_pauses.select()
            .with_only_columns(work_queue_pauses.c.end_time.is_(None))
            .order_by(work_queue_pauses.c.id)
        )
        assert list(ends) == [False, True]


async def test_a_deployment_that_moves_takes_its_playbook_along(queues):
    known = await work_queues.read_deployments(queues.database)
    moved = dict.fromkeys(known, queue_id("quick"))
    assert await work_queues.note_deployments(queues.database, moved)
    assert not await work_queues.note_deployments(queues.database, moved)
    assert await work_queues.read_deployments(queues.database) == moved


async def test_it_is_known_whether_runs_wait(queues):
    assert not await work_queues.runs_wait(queues.database)
    taken = await queues.accept("quick")
    await queues.take()
    assert await work_queues.runs_wait(queues.database)
    await queues.claimed(taken)
    assert not await work_queues.runs_wait(queues.database)


async def test_prefect_is_asked_who_is_at_work_before_a_run_is_taken_and_only_then(queues):
    database = queues.database
    await queues.say(slow={"room": 1, "asks": True})
    await queues.accept("quick")
    assert not await work_queues.limit_counts(database)
    slow = await queues.accept("slow", 2)
    assert await work_queues.limit_counts(database)
    assert slow[0] in await queues.take()
    assert not await work_queues.limit_counts(database)
    await queues.claimed(slow[:1])
    assert await work_queues.limit_counts(database)
    await queues.say(slow={"room": 0, "asks": True})
    assert not await work_queues.limit_counts(database)


def ago(hours: float):
    return func.now() - timedelta(hours=hours)


async def test_the_time_of_a_pause_does_not_count_for_the_longest_wait(queues):
    database = queues.database
    (slow,) = await queues.accept("slow")
    (quick,) = await queues.accept("quick")
    await queues.change(playbook_runs, queue_time=ago(5), update_time=ago(5))
    await queues.say(slow=STOPPED)
    assert await overdue_runs.end_overdue(database, hours=3) == [quick]
    await queues.change(work_queue_pauses, begin_time=ago(10))
    assert await overdue_runs.end_overdue(database, hours=3) == []
    await queues.say()
    # Of its five hours it was paused for three, the first two.
    await queues.change(work_queue_pauses, end_time=ago(2))
    assert await overdue_runs.end_overdue(database, hours=3) == []
    assert await overdue_runs.end_overdue(database, hours=1.9) == [slow]


async def test_behind_those_that_were_paused_for_long_the_others_are_looked_at(queues, monkeypatch):
    monkeypatch.setattr(overdue_runs, "BATCH", 2)
    await queues.say(slow=STOPPED)
    await queues.accept("slow", 3)
    quick = await queues.accept("quick", 3)
    await queues.change(playbook_runs, queue_time=ago(5), update_time=ago(5))
    await queues.change(work_queue_pauses, begin_time=ago(10))
    await queues.say()
    assert await overdue_runs.end_overdue(queues.database, hours=3) == quick


async def move(queues, name: str, to: str) -> None:
    """Somebody puts the deployment of a playbook into another work queue."""
    async with queues.database.read() as connection:
        query = select(playbooks.c.deployment_id).where(playbooks.c.name == name)
        deployment_id = await connection.scalar(query)
    assert await work_queues.note_deployments(queues.database, {deployment_id: queue_id(to)})


async def test_a_pause_counts_for_who_was_in_the_queue_then(queues):
    database = queues.database
    (moved,) = await queues.accept("slow")
    (stays,) = await queues.accept("quick")
    (standing,) = await queues.accept("slow")
    five = {"queue_time": ago(5), "update_time": ago(5)}
    await queues.change(playbook_runs, **five)
    await queues.change(
        playbook_runs, playbook_runs.c.id == standing, dispatch_time=ago(5), flow_run_id=uuid4()
    )
    await queues.say(slow=STOPPED)
    await queues.change(work_queue_pauses, begin_time=ago(10))
    await move(queues, "slow", "quick")
    # Prefect has the flow run that stands there in the queue that it was made in.
    assert await overdue_runs.end_overdue(database, hours=3) == [stays]
    await queues.change(former_work_queues, end_time=ago(4))
    assert await overdue_runs.end_overdue(database, hours=3) == [moved]
    await queues.say()
    await queues.change(work_queue_pauses, end_time=ago(2))
    assert await overdue_runs.end_overdue(database, hours=3) == []
    assert await overdue_runs.end_overdue(database, hours=1.9) == [standing]


async def test_pauses_are_forgotten_that_no_run_has_waited_through(queues):
    async def kept() -> tuple[int, int]:
        async with queues.database.read() as connection:
            counts = [
                await connection.scalar(select(func.count()).select_from(table))
                for table in (work_queue_pauses, former_work_queues)
            ]
        return tuple(counts)

    database = queues.database
    (run,) = await queues.accept("quick")
    await queues.change(playbook_runs, start_time=ago(5))
    await queues.say(slow=STOPPED)
    await queues.say()
    await move(queues, "slow", "quick")
    await work_queues.forget_old(database)
    assert await kept() == (1, 1)
    await queues.claimed([run])
    await work_queues.forget_old(database)
    assert await kept() == (0, 0)
    await queues.say(slow=STOPPED)
    await work_queues.forget_old(database)
    assert await kept() == (1, 0)
