"""Contract 3: containers with artifacts, many at once, and changed."""

from __future__ import annotations

import asyncio

import pytest

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.case import labels


@pytest.fixture
def change(client, container):
    async def change(**fields):
        return await client.post(f"/rest/container/{container}", json=fields)

    return change


@pytest.fixture
def show(client, container):
    async def show():
        return (await client.get(f"/rest/container/{container}")).json()

    return show


async def test_a_change_replaces_what_it_names_and_nothing_else(
    change, show, container, credentials
):
    before = await show()
    sent = {
        "name": "renamed", "label": "case", "description": "d", "status": "open",
        "severity": "high", "sensitivity": "red", "tags": ["a", "b"], "data": {"raw": 1},
        "due_time": "2026-12-01T00:00:00.000000Z", "source_data_identifier": f"moved {container}",
    }  # fmt: skip
    response = await change(**sent, owner_id="admin", unknown=1, run_automation=True)
    assert (response.status_code, response.json()) == (200, {"success": True, "id": container})
    after = await show()
    expected = sent | {"owner": credentials.administrator_id, "owner_name": "admin"}
    assert {name: after[name] for name in expected} == expected
    assert after["container_update_time"] > before["container_update_time"]
    same = before.keys() - expected.keys() - {"container_update_time"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    await change(tags=["c"], data={})
    again = await show()
    assert (again["tags"], again["data"], again["name"]) == (["c"], {}, "renamed")


async def test_custom_fields_are_merged_also_when_many_come_at_once(change, show):
    await change(custom_fields={"kept": {"deep": 1}, "replaced": {"old": 1}})
    merges = [change(custom_fields={f"field {n}": n, "replaced": {"new": 2}}) for n in range(12)]
    assert {response.status_code for response in await asyncio.gather(*merges)} == {200}
    fields = (await show())["custom_fields"]
    numbered = {f"field {n}": n for n in range(12)}
    assert fields == numbered | {"kept": {"deep": 1}, "replaced": {"new": 2}}


async def test_null_and_an_empty_owner_clear_what_may_be_empty(change, show):
    await change(owner_id="admin", description="d", due_time="2026-12-01", name="n")
    assert (await change(owner_id="")).status_code == 200
    assert (await show())["owner"] is None
    await change(owner_id="admin")
    await change(owner_id=None, description=None, due_time=None, name=None)
    after = await show()
    assert (after["owner"], after["description"], after["due_time"]) == (None, None, None)
    assert after["name"] == "n"


async def test_a_closed_container_has_its_close_time(client, change, show):
    assert (await show())["close_time"] is None
    await change(status="closed")
    closed = (await show())["close_time"]
    assert closed == (await show())["container_update_time"]
    await change(status="closed", description="again")
    await change(severity="low")
    assert (await show())["close_time"] == closed
    await change(status="open")
    assert (await show())["close_time"] is None
    await change(status="closed", close_time="2026-01-01")
    assert (await show())["close_time"] == "2026-01-01T00:00:00.000000Z"
    new = {"name": "n", "label": "events", "status": "closed"}
    made = (await client.post("/rest/container", json=new)).json()["id"]
    assert (await client.get(f"/rest/container/{made}/close_time")).json()["close_time"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "The request names nothing that can be changed; a container takes name, label,"),
        ({"comment": "x", "name": None}, "The request names nothing that can be changed"),
        ({"artifacts": [{"name": "a"}]}, "artifacts must be left out"),
        ({"tags": "a"}, "tags must be a list of strings"),
        ({"status": ""}, "status must be a string that is not empty"),
        ({"owner_id": "nobody"}, '"owner_id" Not found: no user has the name "nobody"'),
        ({"owner_id": True}, "owner_id must be a user's id or username"),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(change, show, fields, message):
    before = await show()
    response = await change(**fields)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    assert await show() == before


async def test_a_change_cannot_take_the_identifier_of_another(client, change):
    other = {"name": "other", "label": "events", "source_data_identifier": "taken"}
    existing = (await client.post("/rest/container", json=other)).json()["id"]
    response = await change(source_data_identifier="taken")
    assert response.status_code == 400
    assert response.json()["existing_container_id"] == existing


@pytest.mark.parametrize("unknown", ["999999", "0", "abc", "9" * 30])
async def test_an_unknown_container_cannot_be_changed(client, unknown):
    response = await client.post(f"/rest/container/{unknown}", json={"name": "n"})
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Container "{unknown}" not found'}


async def test_labels_of_the_setting_are_listed_and_asked_for_in_a_change_too(
    build, connect, database, container
):
    settings = Settings(labels=["events", "of the setting"])
    await labels.save(database, settings.labels)
    async with connect(build(settings)) as client:
        listed = (await client.get("/rest/label?page_size=0")).json()["data"]
        assert {"events", "of the setting"} <= {label["name"] for label in listed}
        unknown = await client.post(f"/rest/container/{container}", json={"label": "foobar"})
        known = await client.post(f"/rest/container/{container}", json={"label": "events"})
    assert unknown.json() == {"failed": True, "message": 'Label "foobar" is not a known label.'}
    assert (unknown.status_code, known.status_code) == (400, 200)


async def test_artifacts_come_with_their_container(client):
    new = {
        "name": "n", "label": "events",
        "artifacts": [
            {"name": "a", "cef": {"sourceAddress": "192.0.2.1"}, "source_data_identifier": "x"},
            {"severity_id": "low", "data": {}, "container_id": 999999},
            {"name": "again", "source_data_identifier": "x"},
            {"name": "wrong", "cef": []},
            "no object",
            {"owner_id": "nobody"},
        ],
    }  # fmt: skip
    response = await client.post("/rest/container", json=new)
    assert response.status_code == 200, response.text
    answer = response.json()
    first, second, duplicate, *wrong = answer["artifacts"]
    assert duplicate == {"existing_artifact_id": first["id"]}
    assert [(list(each), each["failed"]) for each in wrong] == [(["failed", "message"], True)] * 3
    stored = (await client.get(f"/rest/container/{answer['id']}/artifacts?sort=id")).json()["data"]
    assert [each["id"] for each in stored] == [first["id"], second["id"]]
    assert [(each["name"], each["severity"]) for each in stored] == [
        ("a", "medium"), ("artifact", "low"),
    ]  # fmt: skip
    assert (await client.get(f"/rest/container/{answer['id']}/artifact_count")).json() == {
        "artifact_count": 2
    }


async def test_a_container_that_is_refused_leaves_no_artifacts(client):
    new = {"name": "n", "label": "events", "source_data_identifier": "once"}
    await client.post("/rest/container", json=new)
    count = (await client.get("/rest/artifact")).json()["count"]
    artifacts = [{"name": "a"}]
    assert (await client.post("/rest/container", json=new | {"artifacts": artifacts})).is_error
    assert (await client.get("/rest/artifact")).json()["count"] == count


async def test_many_containers_are_made_at_once_and_each_has_its_own_result(client):
    item = {"name": "bulk", "label": "events"}
    items = [item | {"source_data_identifier": "bulk"}, item | {"source_data_identifier": "bulk"},
             {"name": "no label"}, 42, item]  # fmt: skip
    response = await client.post("/rest/container", json=items)
    assert response.status_code == 200
    first, duplicate, missing, number, last = response.json()
    assert (first["success"], last["success"]) == (True, True)
    assert duplicate["existing_container_id"] == first["id"]
    assert missing == {"failed": True, "message": "label is required"}
    assert number["failed"] is True
    newest = (await client.get("/rest/audit")).json()[:2]
    noted = [(each["object_id"], each["status"]) for each in newest]
    assert noted == [(last["id"], 200), (first["id"], 200)]


async def test_when_none_of_many_works_the_answer_says_so(client):
    newest = (await client.get("/rest/audit")).json()[0]["id"]
    response = await client.post("/rest/container", json=[{}, {"name": "n"}])
    assert response.status_code == 400
    assert response.json() == [
        {"failed": True, "message": "name is required"},
        {"failed": True, "message": "label is required"},
    ]
    noted = [each for each in (await client.get("/rest/audit")).json() if each["id"] > newest]
    assert [each["status"] for each in noted] == [400]


@pytest.mark.parametrize("items", [[], [{}] * 1001])
async def test_an_array_has_at_least_one_and_at_most_so_many(client, items):
    response = await client.post("/rest/container", json=items)
    assert response.status_code == 400
    assert "must be an object or an array of 1 to 1000" in response.json()["message"]


@pytest.mark.parametrize("path", ["/rest/container", "/rest/container/1"])
async def test_who_only_views_can_change_nothing(client, anonymous, path):
    user = {"username": f"viewer {path}", "type": "automation", "roles": ["Observer"]}
    token = (await client.post("/rest/ph_user", json=user)).json()["token"]
    response = await anonymous.post(path, json={"name": "n"}, headers={"ph-auth-token": token})
    assert response.status_code == 403
