"""What is noted of the work pool of a real Prefect server."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from sqlalchemy import literal_column, select

from adapters.prefect.work_pool_watch import WorkPoolWatch
from adapters.settings import Settings
from adapters.store.tables import dispatch_status

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(prefect) -> str:
    """A work pool of type process, without workers."""
    name = f"watched-{uuid4().hex}"
    await prefect.create_work_pool(WorkPoolCreate(name=name, type="process"))
    return name


@pytest.fixture
def watch(database, prefect, pool):
    return WorkPoolWatch(database=database, client=prefect, settings=Settings(work_pool=pool))


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


async def test_slots_and_a_pause_are_noted(prefect, watch, pool, noted):
    await watch.look()
    assert ((await noted()).slots, (await noted()).paused) == (None, False)
    await prefect.update_work_pool(pool, WorkPoolUpdate(concurrency_limit=4, is_paused=True))
    await watch.look()
    assert ((await noted()).slots, (await noted()).paused) == (4, True)


async def test_a_server_that_does_not_answer_is_noted_until_it_does(database, watch, noted):
    await watch.look()
    nowhere = "http://127.0.0.1:9/api"
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with PrefectClient(nowhere) as client:
            other = WorkPoolWatch(database=database, client=client, settings=watch.settings)
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
