"""Contract 1.2, 1.3 and 9: GET /rest/playbook_run/<id>."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

pytestmark = pytest.mark.anyio

VENDORS_FIELDS = [
    "action_exec", "cancelled", "container", "id", "last_artifact", "log_level", "message",
    "owner", "playbook", "start_time", "status", "test_mode", "update_time", "version",
]  # fmt: skip
LATER_FIELDS = [
    "ip_address", "misc", "parent_run", "effective_user", "node_guid", "playbook_run_batch",
    "inputs", "outputs", "run_data", "targets",
]  # fmt: skip


async def test_the_vendors_fields_come_first_in_its_order_then_the_later_ones(read, run_id):
    assert list(await read(run_id)) == VENDORS_FIELDS + LATER_FIELDS


async def test_a_run_just_accepted(read, run_id, container, shelf, credentials):
    run = await read(run_id)
    text = run.pop("message")
    start_time, update_time = run.pop("start_time"), run.pop("update_time")
    owner = run.pop("owner")
    assert text.startswith("{")
    assert start_time == update_time
    assert isinstance(owner, int)
    assert owner not in {credentials.administrator_id, credentials.automation_id}
    assert run == {
        "action_exec": [],
        "cancelled": "",
        "container": container,
        "id": run_id,
        "last_artifact": 0,
        "log_level": 1,
        "playbook": shelf.my_playbook,
        "status": "running",
        "test_mode": False,
        "version": 1,
        "ip_address": "192.0.2.1",
        "misc": {
            "scope": "all",
            "scope_artifact_ids": None,
            "parent_playbook_run": None,
            "flow_run_id": None,
            "worker": None,
            "hostname": None,
            "process_id": None,
            "waiting": "queued",
        },
        "parent_run": None,
        "effective_user": owner,
        "node_guid": None,
        "playbook_run_batch": None,
        "inputs": [],
        "outputs": [],
        "run_data": {},
        "targets": [],
    }


async def test_the_owner_is_who_started_it(anonymous, read, container, shelf, credentials):
    body = {"container_id": container, "playbook_id": shelf.my_playbook, "run": True}
    headers = {"ph-auth-token": credentials.automation_token}
    answer = (await anonymous.post("/rest/playbook_run", json=body, headers=headers)).json()
    assert (await read(answer["playbook_run_id"]))["owner"] == credentials.automation_id


async def test_a_run_without_an_owner_has_null(read, run_id, change):
    await change(run_id, owner_id=None, effective_user_id=None)
    run = await read(run_id)
    assert run["owner"] is None
    assert run["effective_user"] is None


@pytest.mark.parametrize(
    ("columns", "waiting"),
    [
        ({"process_id": None}, "queued"),
        ({"dispatch_time": datetime.now(UTC)}, "queued"),
        ({"flow_run_id": UUID(int=1)}, "waiting for a worker"),
        ({"flow_run_id": UUID(int=2), "process_id": 7}, None),
    ],
)
async def test_a_run_is_running_whatever_it_waits_for(read, run_id, change, columns, waiting):
    await change(run_id, **columns)
    run = await read(run_id)
    assert run["status"] == "running"
    assert run["misc"]["waiting"] == waiting


@pytest.mark.parametrize("status", ["success", "failed"])
async def test_a_run_that_ended_says_how(read, run_id, change, status):
    await change(run_id, status=status, result=[], end_time=datetime.now(UTC), settled=True)
    run = await read(run_id)
    assert run["status"] == status
    assert run["misc"]["waiting"] is None


async def test_misc_says_where_the_run_is(read, run_id, change):
    flow_run_id = UUID("0f3bd3fc-7b8b-4a3c-9e0e-3a8d7f0a6f11")
    await change(
        run_id, flow_run_id=flow_run_id, worker="phantom-1", hostname="soar", process_id=4711
    )
    misc = (await read(run_id))["misc"]
    assert misc["flow_run_id"] == str(flow_run_id)
    assert (misc["worker"], misc["hostname"], misc["process_id"]) == ("phantom-1", "soar", 4711)


async def test_a_child_names_its_parent(start, read, run_id, change):
    child = (await start()).json()["playbook_run_id"]
    await change(child, parent_run_id=run_id)
    assert (await read(child))["parent_run"] == run_id


async def test_outputs_are_json_texts(read, run_id, change):
    await change(run_id, outputs=['{"verdict":"benign"}'])
    assert (await read(run_id))["outputs"] == ['{"verdict":"benign"}']


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (datetime(2016, 1, 15, 22, 15, 55, 171000, UTC), "2016-01-15T22:15:55.171000Z"),
        (datetime(2016, 1, 15, 22, 16, 0, 813027, UTC), "2016-01-15T22:16:00.813027Z"),
        (datetime(2016, 1, 15, 22, 16, 0, 0, UTC), "2016-01-15T22:16:00.000000Z"),
    ],
)
async def test_times_have_six_digits_and_z(read, run_id, change, time, shown):
    await change(run_id, start_time=time, update_time=time)
    run = await read(run_id)
    assert (run["start_time"], run["update_time"]) == (shown, shown)


async def test_times_are_utc_now(read, run_id):
    run = await read(run_id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", run["start_time"])
    age = datetime.now(UTC) - datetime.fromisoformat(run["start_time"])
    assert abs(age) < timedelta(minutes=1)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("unknown", ["999999", "0", "-1", "abc", "4.6", "9" * 30, "%00"])
async def test_an_unknown_run_is_not_found(client, method, unknown):
    response = await client.request(method, f"/rest/playbook_run/{unknown}", json={"cancel": True})
    shown = "\0" if unknown == "%00" else unknown
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Playbook run "{shown}" not found'}


@pytest.mark.parametrize("suffix", ["/", "//", "?pretty", "?pretty=True", "?include_expensive"])
async def test_spellings_of_the_path_read_the_same(client, run_id, suffix):
    response = await client.get(f"/rest/playbook_run/{run_id}{suffix}")
    assert response.json()["id"] == run_id


async def test_a_get_with_a_body_and_a_server_header_is_answered(client, run_id):
    response = await client.request(
        "GET", f"/rest/playbook_run/{run_id}", json={}, headers={"server": "soar.example"}
    )
    assert response.json()["id"] == run_id


async def test_head_is_answered_like_get(client, run_id):
    response = await client.head(f"/rest/playbook_run/{run_id}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
