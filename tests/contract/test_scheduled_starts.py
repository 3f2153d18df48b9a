"""A playbook on every container with a label, as the flow of a schedule asks for it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from prefect_phantom.adapters.store.starts import scheduled_starts
from prefect_phantom.adapters.store.tables.automation_tables import scheduled_starts as table
from prefect_phantom.adapters.store.tables.tables import playbook_runs
from tests.runtime_key import KEY

pytestmark = pytest.mark.usefixtures("shelf")


@pytest.fixture
def label() -> str:
    return f"label {uuid4()}"


@pytest.fixture
async def containers(client, label) -> list[int]:
    """Three open containers with the label, beside a closed one and one of another label."""
    rows = [{"status": "new"}, {"status": "open"}, {"status": "closed"}, {}, {"label": "other"}]
    answers = [
        await client.post("/rest/container", json={"name": "n", "label": label, **row})
        for row in rows
    ]
    ids = [answer.json()["id"] for answer in answers]
    return [ids[0], ids[1], ids[3]]


@pytest.fixture
def message(label) -> dict:
    return {
        "flow_run_id": str(uuid4()), "label": label, "playbook": "examples/only_examples",
        "statuses": ["new", "open"], "scope": "new",
    }  # fmt: skip


@pytest.fixture
def start_all(ask):
    async def start_all(message: dict) -> list[int]:
        answer = await ask("scheduled_starts", KEY, message)
        assert answer.status_code == 200, answer.text
        return answer.json()["playbook_run_ids"]

    return start_all


@pytest.fixture
def rows(database):
    async def rows(ids: list[int]) -> list:
        async with database.read() as connection:
            query = select(playbook_runs).where(playbook_runs.c.id.in_(ids))
            return list(await connection.execute(query.order_by(playbook_runs.c.id)))

    return rows


async def test_each_open_container_with_the_label_gets_one_run(
    start_all, message, containers, rows, shelf, dispatch
):
    await dispatch.wait(0)
    made = await rows(await start_all(message))
    assert [run.container_id for run in made] == containers
    assert {(run.playbook_id, run.scope, run.owner_id, run.status) for run in made} == {
        (shelf.only_examples, "new", None, "running")
    }
    assert await dispatch.wait(0)


async def test_the_same_flow_run_gets_the_same_runs_also_at_the_same_moment(
    start_all, message, containers, client
):
    answers = await asyncio.gather(*(start_all(message) for _ in range(5)))
    assert len({tuple(answer) for answer in answers}) == 1
    assert len(answers[0]) == len(containers)
    assert await start_all(message) == answers[0]
    count = await client.get(f"/rest/container/{containers[0]}/playbook_runs")
    assert count.json()["count"] == 1
    assert await start_all(message | {"flow_run_id": str(uuid4())}) != answers[0]


async def test_scope_new_begins_where_the_playbook_was_before(
    start_all, message, containers, rows, add_artifact
):
    first = await add_artifact(containers[0])
    await start_all(message)
    second = await add_artifact(containers[0])
    made = await rows(await start_all(message | {"flow_run_id": str(uuid4())}))
    assert (made[0].after_artifact, made[0].last_artifact) == (first, second)
    whole = await rows(await start_all(message | {"flow_run_id": str(uuid4()), "scope": "all"}))
    assert (whole[0].after_artifact, whole[0].last_artifact) == (0, second)


async def test_the_audit_says_which_flow_run_it_was(start_all, message, containers, client):
    ids = await start_all(message)
    entries = (await client.get("/rest/audit")).json()[: len(containers)]
    sentence = f"Started by flow run {message['flow_run_id']} in Prefect"
    assert {(each["object_id"], each["message"], each["user"]) for each in entries} == {
        (id_, sentence, None) for id_ in ids
    }


async def test_no_such_container_is_no_run(start_all, message):
    assert await start_all(message) == []
    assert await start_all(message) == []


@pytest.mark.parametrize(
    ("wrong", "status", "sentence"),
    [
        ({"playbook": "local/unknown"}, 404, 'Playbook "local/unknown" not found'),
        ({"playbook": "local/disabled"}, 400, "Playbook local/disabled is disabled"),
        ({"statuses": []}, 400, "statuses"),
        ({"scope": [1]}, 400, "scope"),
        ({"label": ""}, 400, "label"),
        ({"flow_run_id": "x"}, 400, "flow_run_id"),
    ],
)
@pytest.mark.usefixtures("containers")
async def test_what_cannot_be_is_refused_and_may_be_asked_for_again(
    ask, start_all, message, wrong, status, sentence
):
    answer = await ask("scheduled_starts", KEY, message | wrong)
    assert answer.status_code == status
    assert sentence in answer.json()["message"]
    assert len(await start_all(message)) == 3


@pytest.mark.usefixtures("containers")
async def test_too_many_containers_are_refused_rather_than_some_left_out(ask, message, monkeypatch):
    monkeypatch.setattr(scheduled_starts, "MOST_CONTAINERS", 2)
    answer = await ask("scheduled_starts", KEY, message)
    assert answer.status_code == 400
    assert "More than 2 containers" in answer.json()["message"]


async def test_it_needs_the_key_of_the_installation(ask, claim, message):
    assert (await ask("scheduled_starts", None, message)).status_code == 401
    token = (await claim())["token"]
    assert (await ask("scheduled_starts", token, message)).status_code == 401


@pytest.mark.usefixtures("containers")
async def test_what_is_old_is_forgotten(start_all, message, database):
    first = await start_all(message)
    async with database.begin() as connection:
        is_it = table.c.flow_run_id == message["flow_run_id"]
        older = table.c.create_time - scheduled_starts.KEPT_FOR
        await connection.execute(update(table).where(is_it).values(create_time=older))
    assert await start_all(message) != first
