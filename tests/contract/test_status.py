"""Contract 1.2, 1.3 and 9: GET /rest/playbook_run/<id>."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from prefect_phantom.adapters.store.playbooks import workers
from prefect_phantom.adapters.store.starts import dispatch_status, work_queues
from prefect_phantom.adapters.store.starts.work_queues import WorkQueue
from prefect_phantom.adapters.store.tables.tables import playbooks

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


@pytest.mark.usefixtures("empty_queue")
async def test_a_run_just_accepted(read, start, container, shelf, credentials):
    run_id = int((await start()).json()["playbook_run_id"])
    run = await read(run_id)
    message = run.pop("message")
    start_time, update_time = run.pop("start_time"), run.pop("update_time")
    owner = run.pop("owner")
    assert message.startswith("{")
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
            "waiting": "It is being handed to Prefect",
            "request_id": run["misc"]["request_id"],
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


@pytest.fixture
async def empty_queue(database):
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbook_runs, dispatch_status, workers CASCADE"))


@pytest.fixture
def say(database):
    """Notes what Prefect says of the playbooks' work pool."""

    async def say(workers: int = 1, slots: int | None = None, rule: str = "") -> None:
        await dispatch_status.note_reached(database, "phantom", workers=workers, slots=slots)
        queue = WorkQueue(uuid4(), "phantom", "default", rule=rule)
        await work_queues.note(database, [queue])
        async with database.begin() as connection:
            await connection.execute(update(playbooks).values(work_queue_id=queue.id))

    return say


PAUSED = 'Work pool "phantom" is paused'
IN_PREFECT = {"dispatch_time": datetime(2026, 1, 1, tzinfo=UTC), "flow_run_id": UUID(int=1)}


@pytest.mark.usefixtures("empty_queue")
@pytest.mark.parametrize(
    ("columns", "waiting"),
    [
        ({"process_id": None}, "It is being handed to Prefect"),
        ({"dispatch_time": datetime.now(UTC)}, "A worker is to take it next"),
        (IN_PREFECT, "A worker is to take it next"),
        ({**IN_PREFECT, "process_id": 7}, None),
    ],
)
async def test_a_run_is_running_whatever_it_waits_for(start, read, change, columns, waiting):
    run_id = (await start()).json()["playbook_run_id"]
    await change(run_id, **columns)
    run = await read(run_id)
    assert run["status"] == "running"
    assert run["misc"]["waiting"] == waiting


@pytest.mark.usefixtures("empty_queue")
@pytest.mark.parametrize("columns", [{"process_id": None}, IN_PREFECT])
@pytest.mark.parametrize(
    ("said", "waiting"),
    [
        ({"workers": 0}, 'No worker of work pool "phantom" is online'),
        ({"workers": 0, "rule": PAUSED}, PAUSED),
        ({"slots": 1}, 'The one slot of work pool "phantom" is busy'),
    ],
)
async def test_a_run_that_cannot_start_says_why(start, read, change, say, columns, said, waiting):
    held, run_id = [(await start()).json()["playbook_run_id"] for _ in range(2)]
    await change(held, claim_id=uuid4(), claim_time=datetime.now(UTC), process_id=7)
    await change(run_id, **columns)
    await say(**said)
    assert (await read(run_id))["misc"]["waiting"] == waiting
    # The reason goes as soon as Prefect says otherwise.
    await say(slots=2)
    assert (await read(run_id))["misc"]["waiting"] != waiting
    assert (await read(held))["misc"]["waiting"] is None


@pytest.mark.usefixtures("empty_queue")
@pytest.mark.parametrize(("limit", "slots"), [(None, 2), (5, 2), (1, 1)])
async def test_a_pool_has_no_more_slots_than_its_workers(
    database, start, read, change, say, limit, slots
):
    *held, run_id = [(await start()).json()["playbook_run_id"] for _ in range(slots + 1)]
    worker = workers.Presence(
        name="w", work_pool="phantom", type="phantom", hostname="h", version="1", slots=2,
        taken=0, start_time=datetime.now(UTC),
    )  # fmt: skip
    await workers.see(database, worker)
    await say(slots=limit)
    for each in held:
        assert "busy" not in (await read(run_id))["misc"]["waiting"]
        await change(each, claim_id=uuid4(), claim_time=datetime.now(UTC), process_id=7)
    assert (await read(run_id))["misc"]["waiting"].endswith(("is busy", "are busy"))


@pytest.mark.usefixtures("empty_queue")
async def test_a_run_knows_how_many_are_ahead_of_it(start, read, change):
    in_prefect, first, second, third = [(await start()).json()["playbook_run_id"] for _ in range(4)]
    await change(in_prefect, **IN_PREFECT)
    assert (await read(first))["misc"]["waiting"] == "1 run is ahead of it"
    assert (await read(third))["misc"]["waiting"] == "3 runs are ahead of it"
    # By its turn, not by its id.
    await change(second, queue_time=datetime(2100, 1, 1, tzinfo=UTC))
    assert (await read(third))["misc"]["waiting"] == "2 runs are ahead of it"
    assert (await read(second))["misc"]["waiting"] == "3 runs are ahead of it"


@pytest.mark.usefixtures("empty_queue")
async def test_very_many_runs_ahead_are_not_all_counted(database, start, read):
    await start()
    run_id = (await start()).json()["playbook_run_id"]
    more = text(
        "INSERT INTO playbook_runs (playbook_id, container_id, scope, queue_time)"
        " SELECT playbook_id, container_id, scope, queue_time - interval '1 minute'"
        " FROM playbook_runs, generate_series(1, 600)"
    )
    async with database.begin() as connection:
        await connection.execute(more)
    assert (await read(run_id))["misc"]["waiting"] == "at least 1000 runs are ahead of it"


@pytest.mark.usefixtures("empty_queue")
async def test_a_run_says_since_when_prefect_does_not_answer(database, start, read, say):
    run_id = (await start()).json()["playbook_run_id"]
    await say(workers=0)
    await dispatch_status.note_unreachable(database, "phantom")
    first = (await read(run_id))["misc"]["waiting"]
    assert re.fullmatch(r"Prefect has not answered since 20[-\d]+T[:\d]+\.\d{6}Z", first)
    # What counts is the first time.
    await dispatch_status.note_unreachable(database, "phantom")
    assert (await read(run_id))["misc"]["waiting"] == first
    await say(workers=0)
    assert (await read(run_id))["misc"]["waiting"] == 'No worker of work pool "phantom" is online'


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
@pytest.mark.parametrize("unknown", ["999999", "0", "-1", "abc", "4.6", "9" * 30])
async def test_an_unknown_run_is_not_found(client, method, unknown):
    response = await client.request(method, f"/rest/playbook_run/{unknown}", json={"cancel": True})
    assert response.status_code == 404
    assert response.json() == {"failed": True, "message": f'Playbook run "{unknown}" not found'}


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


async def test_pretty_adds_names_and_times_to_a_single_run(client, run_id):
    run = (await client.get(f"/rest/playbook_run/{run_id}")).json()
    pretty = (await client.get(f"/rest/playbook_run/{run_id}?pretty")).json()
    listed = (await client.get(f"/rest/playbook_run?_filter_id={run_id}&pretty")).json()["data"]
    added = {name: value for name, value in pretty.items() if name not in run}
    assert added == {name: listed[0][name] for name in listed[0] if name.startswith("_pretty_")}
    assert added["_pretty_playbook"] == "my_playbook"
    assert "_pretty_start_time" in added
    assert {**pretty, "misc": None} == {**run, **added, "misc": None}
