"""Contract 4 and 9: which artifacts a run sees, and the mark of the next "new"."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import insert, select

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.case.containers import lock
from prefect_phantom.adapters.store.tables.tables import artifacts, playbook_runs


@pytest.fixture
def after(database):
    """Reads the mark above which a run sees artifacts."""

    async def after(response):
        run_id = int(response.json()["playbook_run_id"])
        async with database.begin() as connection:
            query = select(playbook_runs.c.after_artifact).where(playbook_runs.c.id == run_id)
            return await connection.scalar(query)

    return after


@pytest.mark.parametrize("scope", ["all", "new"])
async def test_the_two_words_are_accepted(start, read, scope):
    run = await read((await start(scope=scope)).json()["playbook_run_id"])
    assert run["misc"]["scope"] == scope
    assert run["misc"]["scope_artifact_ids"] is None


async def test_no_scope_means_all(start, read):
    run = await read((await start()).json()["playbook_run_id"])
    assert run["misc"]["scope"] == "all"


async def test_a_setting_changes_what_no_scope_means(build, connect, read, container, shelf):
    async with connect(build(Settings(default_scope="new"))) as client:
        body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
        answer = (await client.post("/rest/playbook_run", json=body)).json()
    assert (await read(answer["playbook_run_id"]))["misc"]["scope"] == "new"


@pytest.mark.parametrize("spelling", [int, str])
async def test_a_list_of_artifact_ids_is_accepted(start, read, container, add_artifact, spelling):
    ids = [await add_artifact(container) for _ in range(3)]
    response = await start(scope=[spelling(ids[2]), spelling(ids[0]), spelling(ids[2])])
    run = await read(response.json()["playbook_run_id"])
    assert run["misc"]["scope"] == "artifacts"
    assert run["misc"]["scope_artifact_ids"] == [ids[2], ids[0]]


async def test_an_empty_list_is_accepted_and_sees_nothing(start, read):
    run = await read((await start(scope=[])).json()["playbook_run_id"])
    assert run["misc"]["scope_artifact_ids"] == []


@pytest.mark.parametrize(
    "scope",
    [None, "", "All", "some", "41", "[41]", 41, 1.5, True, {}, [True], [None], [1.5], ["a"], [[1]]],
)
async def test_any_other_scope_is_refused_with_the_value_and_what_is_accepted(start, scope):
    response = await start(scope=scope)
    assert response.status_code == 400
    assert response.json() == {
        "failed": True,
        "message": f'scope must be "all", "new" or a list of artifact ids, not {json.dumps(scope)}',
    }


@pytest.mark.parametrize("unknown", [999999, 0, -1, 2**63 - 1])
async def test_an_artifact_that_does_not_exist_is_refused(start, unknown):
    response = await start(scope=[unknown])
    assert response.status_code == 400
    assert str(unknown) in response.json()["message"]
    assert '"all", "new"' in response.json()["message"]


async def test_a_long_list_is_checked_like_a_short_one(start):
    response = await start(scope=list(range(1_000_000, 1_040_000)))
    assert response.status_code == 400
    assert "1000000" in response.json()["message"]


async def test_an_artifact_of_another_container_is_refused(client, start, add_artifact):
    other = await client.post("/rest/container", json={"name": "other", "label": "events"})
    foreign = await add_artifact(other.json()["id"])
    response = await start(scope=[foreign])
    assert response.status_code == 400
    assert str(foreign) in response.json()["message"]


async def test_last_artifact_is_the_highest_in_the_container(start, read, container, add_artifact):
    empty = await read((await start()).json()["playbook_run_id"])
    first, last = await add_artifact(container), await add_artifact(container)
    by_list = await read((await start(scope=[first])).json()["playbook_run_id"])
    assert empty["last_artifact"] == 0
    assert by_list["last_artifact"] == last


@pytest.mark.parametrize("earlier", ["all", "new"])
async def test_new_begins_above_the_last_run_of_the_playbook_on_the_container(
    start, container, add_artifact, after, earlier
):
    seen = await add_artifact(container)
    assert await after(await start(scope="new")) == 0
    await start(scope=earlier)
    await add_artifact(container)
    assert await after(await start(scope="new")) == seen


async def test_a_run_on_a_list_does_not_move_the_mark(start, container, add_artifact, after):
    artifact = await add_artifact(container)
    await start(scope=[artifact])
    assert await after(await start(scope="new")) == 0


async def test_another_playbook_does_not_move_the_mark(start, container, add_artifact, after):
    await add_artifact(container)
    await start(scope="all", playbook_id="only_examples")
    assert await after(await start(scope="new")) == 0


async def test_new_with_nothing_new_is_accepted(start, container, add_artifact, after):
    artifact = await add_artifact(container)
    await start(scope="new")
    response = await start(scope="new")
    assert response.status_code == 200
    assert await after(response) == artifact


async def test_no_artifact_slips_under_the_mark(database, start, read, container, add_artifact):
    """Its id is given before it is committed; the run waits until it is there."""
    await add_artifact(container)
    async with database.begin() as connection:
        await lock(connection, container)
        statement = insert(artifacts).values(
            container_id=container, source_data_identifier="late", hash=""
        )
        late = await connection.scalar(statement.returning(artifacts.c.id))
        starting = asyncio.ensure_future(start(scope="new"))
        done, _ = await asyncio.wait([starting], timeout=0.3)
        assert not done
    run = await read((await starting).json()["playbook_run_id"])
    assert run["last_artifact"] == late


async def test_an_artifact_waits_for_a_run_that_is_being_accepted(
    database, container, add_artifact
):
    async with database.begin() as connection:
        await lock(connection, container)
        adding = asyncio.ensure_future(add_artifact(container))
        done, _ = await asyncio.wait([adding], timeout=0.3)
        assert not done
    assert await adding > 0
