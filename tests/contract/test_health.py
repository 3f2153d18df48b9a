"""``/rest/prefect_phantom/health``: what the gateway tells its administrators of itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from prefect_phantom.adapters.store.playbooks import worker_names, workers
from prefect_phantom.adapters.store.playbooks.worker_names import Holder
from prefect_phantom.adapters.store.playbooks.workers import Presence
from prefect_phantom.adapters.store.starts import work_queues
from prefect_phantom.adapters.store.starts.work_queues import WorkQueue
from prefect_phantom.client import AsyncPhantom
from prefect_phantom.client.health import Health

PATH = "/rest/prefect_phantom/health"


@pytest.fixture
async def health(application, credentials) -> Health:
    """What the Python client reads."""
    transport = httpx.ASGITransport(application)
    async with AsyncPhantom(
        "http://gateway", token=credentials.token, transport=transport
    ) as phantom:
        return await phantom.health()


async def test_it_is_for_administrators_only(anonymous, credentials):
    assert (await anonymous.get(PATH)).status_code == 401
    refused = await anonymous.get(PATH, headers={"ph-auth-token": credentials.automation_token})
    assert refused.status_code == 403
    assert refused.json()["message"] == 'User "script" lacks the permission "administer"'


async def test_it_tells_of_a_second_worker_of_a_name(database, application, credentials):
    name = str(uuid4())
    for hostname in ("first", "second"):
        wanted = Holder(holder=uuid4(), hostname=hostname, process_id=1, process=hostname)
        await worker_names.take(database, name, wanted, uuid4(), dead=None)
    transport = httpx.ASGITransport(application)
    async with AsyncPhantom(
        "http://gateway", token=credentials.token, transport=transport
    ) as phantom:
        (told,) = [each for each in (await phantom.health()).refused_workers if each.name == name]
    assert (told.hostname, told.refused_hostname) == ("first", "second")


@pytest.mark.attack(
    "asking without credentials, over and over, whether the gateway is ready",
    "the database is asked one question at a time",
)
async def test_those_who_ask_at_once_whether_it_is_ready_share_a_question(
    anonymous, database, monkeypatch
):
    asked, fetch, answer_now = [], database.fetch, asyncio.Event()

    async def count(*statement):
        asked.append(statement)
        await answer_now.wait()
        return await fetch(*statement)

    monkeypatch.setattr(database, "fetch", count)
    questions = [asyncio.create_task(anonymous.get("/readyz")) for _ in range(50)]
    for _ in range(20 * len(questions)):  # each has its turn, in a pass of the loop
        await asyncio.sleep(0)
    answer_now.set()
    assert {(await each).status_code for each in questions} == {200}
    assert len(asked) == 1
    assert (await anonymous.get("/readyz")).status_code == 200
    assert len(asked) == 2


async def test_it_names_postgresql_and_the_newest_schema(health: Health):
    assert int(health.database.version.split(".")[0]) >= 14
    assert health.database.revision == health.database.head != ""


async def test_it_says_what_prefect_says(health: Health):
    assert (health.prefect.version, health.prefect.workers, health.prefect.error) == (
        "3.8.8",
        ["one"],
        "",
    )


async def test_it_counts_the_open_runs(start, client):
    before = (await client.get(PATH)).json()["runs"]
    await start()
    after = (await client.get(PATH)).json()["runs"]
    assert after["queued"] - before["queued"] == 1
    assert after["oldest_seconds"] >= 0


async def test_it_shows_each_worker_with_its_slots(client, database):
    began = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    await workers.see(
        database,
        Presence(
            name="one", work_pool="phantom", type="phantom", hostname="h", version="0.1.0",
            slots=4, taken=3, start_time=began,
        ),
    )  # fmt: skip
    (shown,) = (await client.get(PATH)).json()["workers"]
    assert datetime.now(UTC) >= datetime.fromisoformat(shown.pop("seen_time"))
    assert shown == {
        "name": "one", "work_pool": "phantom", "type": "phantom", "hostname": "h",
        "version": "0.1.0", "slots": 4, "taken": 3, "online": True,
        "start_time": "2026-11-24T10:00:00.000000Z",
    }  # fmt: skip


async def test_it_names_the_work_queues_of_which_nothing_may_start(client, database):
    rule = 'Work queue "held" of work pool "phantom" is paused'
    held = WorkQueue(id=uuid4(), work_pool="phantom", name="held", rule=rule, paused=True)
    await work_queues.note(database, [held, WorkQueue(uuid4(), "phantom", "free")])
    shown = (await client.get(PATH)).json()["work_queues"]
    assert shown == [{"work_pool": "phantom", "name": "held", "rule": rule}]
    await work_queues.note(database, [])
