"""What is noted of the work pool of a real Prefect server."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from sqlalchemy import literal_column, select

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.queues.work_pool_watch import WorkPoolWatch
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.starts import work_queues
from prefect_phantom.adapters.store.tables.tables import dispatch_status


@pytest.fixture
async def pool(prefect) -> str:
    """A work pool of type process, without workers."""
    name = f"watched-{uuid4().hex}"
    await prefect.create_work_pool(WorkPoolCreate(name=name, type="process"))
    return name


@pytest.fixture
def watch(database, prefect, pool):
    return WorkPoolWatch(
        database=database,
        client=prefect,
        settings=Settings(work_pool=pool),
        hints=Hints(lambda _: None),
        dispatch=Signal(),
    )


@pytest.fixture
def noted(database, pool):
    async def noted():
        query = select(dispatch_status).where(dispatch_status.c.work_pool == pool)
        async with database.read() as connection:
            return (await connection.execute(query)).one()

    return noted


async def test_workers_of_any_type_are_counted_as_long_as_they_are_online(
    prefect, watch, pool, noted
):
    await watch.look()
    assert (await noted()).workers == 0
    for name in ("one", "two"):
        await prefect.send_worker_heartbeat(pool, name, heartbeat_interval_seconds=30)
    await watch.look()
    assert (await noted()).workers == 2


async def test_the_limit_of_a_pool_is_noted(prefect, watch, pool, noted):
    await watch.look()
    assert (await noted()).slots is None
    await prefect.update_work_pool(pool, WorkPoolUpdate(concurrency_limit=4))
    await watch.look()
    assert (await noted()).slots == 4


async def test_pauses_and_limits_of_queues_are_noted_and_told(database, prefect, watch, pool):
    async def rules() -> dict[str, str]:
        await watch.look()
        known = await work_queues.read_all(database)
        return {queue.name: queue.rule for queue in known if queue.work_pool == pool}

    assert await rules() == {"default": ""}
    assert await watch.dispatch.wait(0)
    assert await rules() == {"default": ""}
    assert not await watch.dispatch.wait(0)
    urgent = await prefect.create_work_queue("urgent", work_pool_name=pool)
    await prefect.update_work_queue(urgent.id, is_paused=True)
    paused = f'Work queue "urgent" of work pool "{pool}" is paused'
    assert await rules() == {"default": "", "urgent": paused}
    assert await watch.dispatch.wait(0)
    await prefect.update_work_pool(pool, WorkPoolUpdate(is_paused=True))
    paused = f'Work pool "{pool}" is paused'
    assert await rules() == {"default": paused, "urgent": paused}


async def test_a_server_that_does_not_answer_is_noted_until_it_does(database, watch, noted):
    await watch.look()
    nowhere = "http://127.0.0.1:9/api"
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with PrefectClient(nowhere) as client:
            other = WorkPoolWatch(
                database=database,
                client=client,
                settings=watch.settings,
                hints=watch.hints,
                dispatch=watch.dispatch,
            )
            with pytest.raises(httpx.ConnectError):
                await other.look()
    assert (await noted()).unreachable_time is not None
    assert (await noted()).workers == 0
    await watch.look()
    assert (await noted()).unreachable_time is None


async def test_what_has_not_changed_is_not_written_again(database, watch, pool):
    await watch.look()
    version = select(literal_column("xmin")).where(dispatch_status.c.work_pool == pool)
    async with database.read() as connection:
        before = await connection.scalar(version.select_from(dispatch_status))
        await watch.look()
        assert await connection.scalar(version.select_from(dispatch_status)) == before
