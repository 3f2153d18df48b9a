"""Contract 3: artifacts changed, and many at once."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
async def artifact(add_artifact, container) -> int:
    return await add_artifact(container)


@pytest.fixture
def change(client, artifact):
    async def change(**fields):
        return await client.post(f"/rest/artifact/{artifact}", json=fields)

    return change


@pytest.fixture
def show(client, artifact):
    async def show():
        return (await client.get(f"/rest/artifact/{artifact}")).json()

    return show


async def test_a_change_replaces_what_it_names_and_nothing_else(client, change, show, artifact):
    await change(cef={"sourceAddress": "192.0.2.1", "gone": 1}, tags=["old"])
    before = await show()
    sent = {
        "name": "renamed", "label": "ioc", "severity": "high", "cef": {"fileHash": "x"},
        "cef_types": {"fileHash": ["hash"]}, "tags": ["new"], "data": {"raw": []},
        "source_data_identifier": "moved",
    }  # fmt: skip
    response = await change(**sent, owner_id="admin", run_automation=False)
    assert (response.status_code, response.json()) == (200, {"success": True, "id": artifact})
    after = await show()
    assert {name: after[name] for name in sent} == sent
    assert after["update_time"] > before["update_time"]
    same = before.keys() - sent.keys() - {"update_time", "owner"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    container = (await client.get(f"/rest/container/{after['container']}")).json()
    assert container["artifact_update_time"] == after["update_time"]
    assert (await change(owner_id=None)).status_code == 200
    assert (await show())["owner"] is None
    [entry] = (await client.get("/rest/audit")).json()[:1]
    assert (entry["path"], entry["object_id"]) == (f"/rest/artifact/{artifact}", artifact)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "The request names nothing that can be changed; an artifact takes name, label,"),
        ({"container_id": 1}, "The request names nothing that can be changed"),
        ({"cef": []}, "cef must be an object"),
        ({"owner_id": 999999}, '"owner_id" Not found'),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(change, show, fields, message):
    before = await show()
    response = await change(**fields)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    assert await show() == before


async def test_an_artifact_stays_in_its_container(client, change, show, container):
    other = await client.post("/rest/container", json={"name": "other", "label": "events"})
    response = await change(container_id=other.json()["id"], name="n")
    assert response.status_code == 400
    assert response.json()["message"] == (
        f"container_id must be {container}, where the artifact stays, or left out, "
        f"not {other.json()['id']}"
    )
    assert (await change(container_id=str(container), name="n")).status_code == 200
    assert (await show())["name"] == "n"


async def test_of_many_changes_to_one_identifier_only_one_is_made(client, container):
    items = [{"container_id": container, "source_data_identifier": f"{n}"} for n in range(8)]
    made = [each["id"] for each in (await client.post("/rest/artifact", json=items)).json()]
    # Each has a connection already, or they would come one after the other.
    await asyncio.gather(*(client.get(f"/rest/artifact/{each}") for each in made))
    wanted = {"source_data_identifier": "wanted by all"}
    responses = await asyncio.gather(
        *(client.post(f"/rest/artifact/{each}", json=wanted) for each in made)
    )
    [winner] = [each.json()["id"] for each in responses if each.status_code == 200]
    assert [each.json()["existing_artifact_id"] for each in responses if each.is_error] == (
        [winner] * 7
    )
    assert (await client.post(f"/rest/artifact/{winner}", json=wanted)).status_code == 200


async def test_many_artifacts_are_made_at_once_and_each_has_its_own_result(client, container):
    item = {"container_id": container, "source_data_identifier": "same"}
    items = [item, item, {"container_id": 999999}, {"name": "n"}, {"container_id": container}]
    response = await client.post("/rest/artifact", json=items)
    assert response.status_code == 200
    first, duplicate, *wrong, last = response.json()
    assert (first["success"], last["success"]) == (True, True)
    assert duplicate["existing_artifact_id"] == first["id"]
    assert [each["message"] for each in wrong] == [
        'Container "999999" not found', "container_id is required",
    ]  # fmt: skip
    listed = (await client.get(f"/rest/container/{container}/artifacts?sort=id")).json()["data"]
    assert [each["id"] for each in listed] == [first["id"], last["id"]]
    assert (await client.post("/rest/artifact", json=items[2:4])).status_code == 400


@pytest.mark.parametrize("unknown", ["999999", "0", "abc", "9" * 30])
async def test_an_unknown_artifact_cannot_be_changed(client, unknown):
    response = await client.post(f"/rest/artifact/{unknown}", json={"name": "n"})
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Artifact "{unknown}" not found'}
