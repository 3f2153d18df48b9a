"""Our decisions: what no run was given can be deleted, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select, text

from prefect_phantom.adapters.store.tables.tables import containers

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
"""How many wait for somebody's lock."""


@pytest.fixture
def remove(anonymous, credentials):
    """Deletes as the administrator, with a password."""

    async def remove(path):
        return await anonymous.delete(f"/rest/{path}", auth=("admin", credentials.password))

    return remove


async def test_a_container_goes_with_all_that_is_written_on_it(
    client, remove, container, add_artifact
):
    artifact = await add_artifact(container)
    note = {"container_id": container, "content": "c", "artifact_id": artifact}
    note_id = (await client.post("/rest/note", json=note)).json()["id"]
    assert (await client.delete(f"/rest/container/{container}")).status_code == 403
    gone = await remove(f"container/{container}")
    assert (gone.status_code, gone.json()) == (200, {"success": True, "id": container})
    for path in (f"container/{container}", f"artifact/{artifact}", f"note/{note_id}"):
        assert (await client.get(f"/rest/{path}")).status_code == 404
        assert (await remove(path)).status_code == 404
    noted = [
        (entry["object_id"], entry["status"])
        for entry in (await client.get("/rest/audit")).json()
        if (entry["method"], entry["path"]) == ("DELETE", f"/rest/container/{container}")
    ]
    assert (container, 200) in noted


async def test_what_a_run_was_given_stays_however_the_run_ended(
    client, remove, container, add_artifact, start, change
):
    seen = await add_artifact(container)
    run_id = int((await start()).json()["playbook_run_id"])
    later = await add_artifact(container)
    note = {"container_id": container, "content": "c", "artifact_id": later}
    note_id = (await client.post("/rest/note", json=note)).json()["id"]
    for ended in (False, True):
        if ended:
            await change(run_id, status="failed", end_time=datetime.now(UTC), result=[])
        for kind, identifier in (("container", container), ("artifact", seen)):
            kept = await remove(f"{kind}/{identifier}")
            assert kept.status_code == 400
            assert kept.json()["message"] == (
                f"{kind.capitalize()} {identifier} cannot be deleted: it is kept for "
                "the playbook runs that were given it, of which there are 1"
            )
    assert (await client.delete(f"/rest/artifact/{later}")).status_code == 403
    assert (await remove(f"artifact/{later}")).status_code == 200
    ids = [
        each["id"]
        for each in (await client.get(f"/rest/container/{container}/artifacts")).json()["data"]
    ]
    assert ids == [seen]
    left = (await client.get(f"/rest/note/{note_id}")).json()
    assert (left["artifact"], left["container"]) == (None, container)


@pytest.mark.parametrize("key", [None, "once"])
async def test_a_run_on_a_container_that_is_deleted_in_this_moment_is_refused(
    client, database, container, shelf, key
):
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    async with database.begin() as connection:
        await connection.execute(
            select(containers).where(containers.c.id == container).with_for_update()
        )
        starting = asyncio.create_task(
            client.post("/rest/playbook_run", json=body, headers=headers)
        )
        async with database.read() as watching:
            while not await watching.scalar(WAITING):
                await asyncio.sleep(0.01)
        await connection.execute(delete(containers).where(containers.c.id == container))
    refused = await starting
    assert (refused.status_code, refused.json()["message"]) == (
        404, f'Container "{container}" not found',
    )  # fmt: skip
