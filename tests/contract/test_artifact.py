"""Contract 3, 6 and 9: /rest/artifact."""

from __future__ import annotations

import asyncio

import pytest

RECORDED = [
    "tags", "id", "cef", "cef_types", "container", "create_time", "description", "end_time",
    "external_id", "hash", "ingest_app", "kill_chain", "label", "name", "owner", "playbook_run",
    "severity", "source_data_identifier", "start_time", "type", "update_time", "version",
    "in_case", "has_note", "parent_container", "parent_artifact",
]  # fmt: skip


@pytest.fixture
def create(client, container):
    async def create(**fields):
        body = {"container_id": container} | fields
        body = {name: value for name, value in body.items() if value is not ...}
        return await client.post("/rest/artifact", json=body)

    return create


async def test_an_artifact_is_added(create):
    response = await create()
    assert response.status_code == 200
    assert list(response.json()) == ["id", "success"]
    assert response.json()["success"] is True


async def test_it_is_read_with_the_recorded_fields_in_their_order(client, create, container):
    identifier = (await create()).json()["id"]
    answer = (await client.get(f"/rest/artifact/{identifier}")).json()
    assert list(answer) == [*RECORDED, "data"]
    assert (answer["id"], answer["container"]) == (identifier, container)
    assert (answer["cef"], answer["cef_types"], answer["tags"]) == ({}, {}, [])
    assert answer["source_data_identifier"]


async def test_it_keeps_what_was_sent(client, create, credentials):
    sent = {
        "name": "ioc", "label": "ioc", "type": "network", "description": "d", "severity": "low",
        "source_data_identifier": "kept", "external_id": "x", "kill_chain": "k",
        "cef": {"sourceAddress": "192.0.2.7", "nested": {"é": [1.5, None]}},
        "cef_types": {"sourceAddress": ["ip"]}, "data": {"raw": 1}, "tags": ["t"],
        "start_time": "2023-02-12T12:16:33.994245Z", "end_time": "2023-02-12T12:16:34.000000Z",
    }  # fmt: skip
    identifier = (await create(**sent, owner_id=credentials.automation_id)).json()["id"]
    answer = (await client.get(f"/rest/artifact/{identifier}/")).json()
    expected = sent | {"owner": credentials.automation_id}
    assert {name: answer[name] for name in expected} == expected


async def test_run_automation_and_other_fields_are_ignored(create):
    assert (await create(run_automation=True, asset_id=7)).status_code == 200


@pytest.mark.parametrize("value", [..., None])
async def test_the_container_is_required(create, value):
    response = await create(container_id=value)
    assert response.status_code == 400
    assert response.json()["message"] == "container_id is required"


async def test_the_container_may_be_a_string_of_digits(create, container):
    assert (await create(container_id=str(container))).status_code == 200


@pytest.mark.parametrize("unknown", [999999, "999999", 0, -1, 2**63 - 1])
async def test_an_unknown_container_is_not_found(create, unknown):
    response = await create(container_id=unknown)
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Container "{unknown}" not found'}


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("cef", [], "an object"),
        ("cef", "{}", "an object"),
        ("cef_types", 1, "an object"),
        ("tags", {}, "a list of strings"),
        ("name", "", "a string that is not empty"),
        ("type", 5, "a string"),
        ("container_id", "x", "an integer id"),
        ("end_time", "12:00", "an ISO 8601 time"),
    ],
)
async def test_fields_of_a_wrong_kind_are_refused(create, field, value, accepted):
    response = await create(**{field: value})
    assert response.status_code == 400
    assert response.json()["message"].startswith(f"{field} must be {accepted}")


async def test_an_unknown_owner_is_refused(create):
    response = await create(owner_id=999999)
    assert response.status_code == 400
    assert '"owner_id" Not found' in response.json()["message"]


async def test_a_duplicate_names_the_artifact_that_is_there(create):
    first = await create(source_data_identifier="same")
    second = await create(source_data_identifier="same")
    assert second.status_code == 400
    assert second.json() == {
        "failed": True,
        "message": 'duplicate artifact with source_data_identifier "same"',
        "existing_artifact_id": first.json()["id"],
    }


async def test_another_container_may_have_the_same_identifier(client, create):
    await create(source_data_identifier="shared")
    other = await client.post("/rest/container", json={"name": "other", "label": "events"})
    response = await create(source_data_identifier="shared", container_id=other.json()["id"])
    assert response.status_code == 200


async def test_of_many_duplicates_at_once_one_is_made(create):
    responses = await asyncio.gather(*(create(source_data_identifier="x") for _ in range(12)))
    made = [response.json()["id"] for response in responses if response.status_code == 200]
    assert len(made) == 1
    assert all(
        response.json()["existing_artifact_id"] == made[0]
        for response in responses
        if response.status_code != 200
    )


@pytest.mark.parametrize("unknown", ["999999", "0", "-1", "abc", "9" * 30])
async def test_an_unknown_artifact_is_not_found(client, unknown):
    response = await client.get(f"/rest/artifact/{unknown}")
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Artifact "{unknown}" not found'}
