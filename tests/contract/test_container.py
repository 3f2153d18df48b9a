"""Contract 3, 6 and 9: /rest/container."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from prefect_phantom.adapters.settings import Settings

RECORDED = [
    "tags", "id", "artifact_count", "artifact_update_time", "asset", "close_time",
    "closing_owner", "closing_rule_run", "container_update_time", "create_time", "description",
    "due_time", "end_time", "hash", "external_id", "ingest_app", "kill_chain", "label", "name",
    "open_time", "owner", "role", "owner_name", "sensitivity", "severity",
    "source_data_identifier", "start_time", "status", "version", "workflow_name",
    "custom_fields", "container_type", "in_case", "current_phase", "tenant", "parent_container",
    "node_guid",
]  # fmt: skip


@pytest.fixture
def create(client):
    async def create(**fields):
        body = {"name": "incident", "label": "events"} | fields
        body = {name: value for name, value in body.items() if value is not ...}
        return await client.post("/rest/container", json=body)

    return create


async def test_a_container_is_made(create):
    response = await create()
    assert response.status_code == 200
    assert list(response.json()) == ["success", "id"]
    assert response.json()["success"] is True
    assert isinstance(response.json()["id"], int)


async def test_it_is_read_with_the_recorded_fields_in_their_order(client, container):
    answer = (await client.get(f"/rest/container/{container}")).json()
    assert list(answer) == [*RECORDED, "data"]
    assert (answer["id"], answer["name"], answer["label"]) == (container, "incident", "events")
    assert (answer["status"], answer["severity"], answer["sensitivity"]) == (
        "new", "medium", "amber",
    )  # fmt: skip
    assert len(answer["hash"]) == 32
    assert answer["source_data_identifier"]
    assert answer["artifact_count"] == 0
    assert answer["create_time"].endswith("Z")


async def test_it_keeps_what_was_sent(client, create, credentials):
    sent = {
        "description": "d", "status": "open", "severity": "high", "sensitivity": "red",
        "container_type": "case", "source_data_identifier": "kept", "external_id": "x-1",
        "kill_chain": "k", "tags": ["a", "b"], "custom_fields": {"é": [1, None]},
        "data": {"raw": True}, "start_time": "2023-02-18T10:02:37.551312Z",
        "end_time": "2023-02-18T12:00:00+01:00", "due_time": "2023-02-19",
    }  # fmt: skip
    owner = {"owner_id": str(credentials.administrator_id)}
    identifier = (await create(**sent, **owner)).json()["id"]
    answer = (await client.get(f"/rest/container/{identifier}/")).json()
    expected = sent | {
        "end_time": "2023-02-18T11:00:00.000000Z",
        "due_time": "2023-02-19T00:00:00.000000Z",
        "owner": credentials.administrator_id,
        "owner_name": "admin",
    }
    assert {name: answer[name] for name in expected} == expected


async def test_a_time_without_an_offset_is_utc_wherever_the_gateway_stands(
    client, create, monkeypatch
):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        identifier = (await create(start_time="2023-02-18T10:02:37")).json()["id"]
        answer = (await client.get(f"/rest/container/{identifier}")).json()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert answer["start_time"] == "2023-02-18T10:02:37.000000Z"


async def test_artifacts_are_counted_and_noted(client, container, add_artifact):
    before = (await client.get(f"/rest/container/{container}")).json()
    await add_artifact(container)
    after = (await client.get(f"/rest/container/{container}")).json()
    assert after["artifact_count"] == 1
    assert after["artifact_update_time"] > before["artifact_update_time"]


@pytest.mark.parametrize("field", ["name", "label"])
@pytest.mark.parametrize("value", [..., None])
async def test_name_and_label_are_required(create, field, value):
    response = await create(**{field: value})
    assert response.status_code == 400
    assert response.json() == {"failed": True, "message": f"{field} is required"}


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("name", "", "a string that is not empty"),
        ("name", 1, "a string"),
        ("label", True, "a string"),
        ("label", "é" * 513, "a string of at most 512 characters"),
        ("status", "é" * 513, "a string of at most 512 characters"),
        ("severity", [], "a string"),
        ("description", {}, "a string"),
        ("source_data_identifier", "", "a string that is not empty"),
        ("source_data_identifier", "x" * 513, "a string of at most 512 characters"),
        ("tags", "a", "a list of strings"),
        ("tags", [1], "a list of strings"),
        ("custom_fields", [], "an object"),
        ("data", "{}", "an object"),
        ("owner_id", [], "a user's id or username"),
        ("artifacts", {"name": "a"}, "a list of objects"),
        ("start_time", "yesterday", "an ISO 8601 time"),
        ("start_time", 1618252287319, "a string"),
        ("due_time", "9999-12-31T23:59:59-12:00", "an ISO 8601 time"),
    ],
)
async def test_fields_of_a_wrong_kind_are_refused(create, field, value, accepted):
    response = await create(**{field: value})
    assert response.status_code == 400
    shown = json.dumps(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
    assert response.json()["message"] == f"{field} must be {accepted}, not {shown}"


async def test_an_unknown_owner_is_refused(create):
    for owner in (999999, "nobody"):
        response = await create(owner_id=owner)
        assert response.status_code == 400
        assert '"owner_id" Not found' in response.json()["message"]


async def test_a_duplicate_names_the_container_that_is_there(create):
    first = await create(source_data_identifier="same")
    second = await create(source_data_identifier="same")
    assert second.status_code == 400
    assert second.json() == {
        "failed": True,
        "message": 'duplicate container with source_data_identifier "same"',
        "existing_container_id": first.json()["id"],
    }


async def test_of_many_duplicates_at_once_one_is_made(create):
    responses = await asyncio.gather(*(create(source_data_identifier="at once") for _ in range(12)))
    made = [response.json()["id"] for response in responses if response.status_code == 200]
    existing = {
        response.json()["existing_container_id"]
        for response in responses
        if response.status_code == 400
    }
    assert len(made) == 1
    assert existing == set(made)


async def test_any_label_is_known_by_default_and_those_of_a_setting_otherwise(build, connect):
    async with connect(build(Settings(labels=["events"]))) as client:
        known = await client.post("/rest/container", json={"name": "n", "label": "events"})
        unknown = await client.post("/rest/container", json={"name": "n", "label": "foobar"})
    assert known.status_code == 200
    assert unknown.status_code == 400
    assert unknown.json() == {"failed": True, "message": 'Label "foobar" is not a known label.'}


@pytest.mark.parametrize("unknown", ["999999", "0", "-1", "abc", "9" * 30])
async def test_an_unknown_container_is_not_found(client, unknown):
    response = await client.get(f"/rest/container/{unknown}")
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Container "{unknown}" not found'}
