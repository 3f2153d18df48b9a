"""Contract 1.5 and 3: a playbook made active or not, and its runs cancelled."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found

DONE = {"message": "Operation successful", "success": True}


@pytest.fixture
def change_playbook(client, shelf):
    async def change_playbook(playbook: int = shelf.my_playbook, **fields):
        return await client.post(f"/rest/playbook/{playbook}", json=fields)

    return change_playbook


@pytest.mark.parametrize(
    ("value", "kept"),
    [(True, True), (False, False), ("true", True), ("False", False), (1, True), (0, False)],
)
async def test_it_is_made_active_or_not(client, change_playbook, shelf, value, kept):
    response = await change_playbook(active=value)
    assert (response.status_code, response.json()) == (200, DONE)
    assert (await client.get(f"/rest/playbook/{shelf.my_playbook}")).json()["active"] is kept


async def test_it_stays_active_when_its_repository_is_read_again(client, database, change_playbook):
    found = FoundPlaybook("local", "kept active", folder="/p", entrypoint="kept.py:kept")
    await save_found(database, [found])
    [row] = (await client.get("/rest/playbook?_filter_name=kept active")).json()["data"]
    for active in (True, False):
        await change_playbook(row["id"], active=active)
        await save_found(database, [found])
        answer = (await client.get(f"/rest/playbook/{row['id']}/active")).json()
        assert answer == {"active": active}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "active is required"),
        ({"cancel_runs": False}, "active is required"),
        ({"active": "maybe"}, 'active must be true or false, not "maybe"'),
        ({"active": False, "cancel_runs": "yes"}, 'cancel_runs must be true or false, not "yes"'),
        ({"active": 2}, "active must be true or false, not 2"),
        ({"active": []}, "active must be true or false, not []"),
        ({"active": True, "name": "n"}, 'No other field can be updated: ["name"]; '),
    ],
)
async def test_what_makes_no_sense_changes_nothing(
    client, change_playbook, shelf, run_id, read, fields, message
):
    before = (await client.get(f"/rest/playbook/{shelf.my_playbook}")).json()
    response = await change_playbook(**fields)
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    assert (await client.get(f"/rest/playbook/{shelf.my_playbook}")).json() == before
    assert (await read(run_id))["status"] == "running"


async def test_all_its_open_runs_are_cancelled_and_no_other_one(
    client, change_playbook, start, read, shelf, dispatch, reconcile
):
    queued = [int((await start()).json()["playbook_run_id"]) for _ in range(3)]
    other = int((await start(playbook_id=shelf.inactive)).json()["playbook_run_id"])
    await dispatch.wait(0)
    await reconcile.wait(0)
    response = await change_playbook(active=False, cancel_runs=True)
    assert (response.status_code, response.json()) == (200, DONE)
    for run_id in queued:
        run = await read(run_id)
        assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by operator")
    untouched = await read(other)
    assert (untouched["status"], untouched["cancelled"]) == ("running", "")
    assert (await client.get(f"/rest/playbook/{shelf.my_playbook}")).json()["active"] is False
    assert await dispatch.wait(0)
    assert await reconcile.wait(0)


async def test_runs_under_way_go_the_way_of_a_single_cancel(
    change_playbook, start, read, change, stopped
):
    flow_runs = [uuid4(), uuid4()]
    ids = [int((await start()).json()["playbook_run_id"]) for _ in flow_runs]
    now = datetime.now(UTC)
    for run_id, flow_run in zip(ids, flow_runs, strict=True):
        await change(run_id, dispatch_time=now, flow_run_id=flow_run, process_id=1)
    ended = int((await start()).json()["playbook_run_id"])
    await change(ended, status="success", result=[], end_time=now)
    before = await read(ended)
    assert (await change_playbook(cancel_runs=True)).json() == DONE
    for run_id in ids:
        run = await read(run_id)
        assert (run["status"], run["cancelled"]) == ("running", "Cancelled by operator")
    assert stopped[-2:] == flow_runs
    assert await read(ended) == before
    assert (await change_playbook(cancel_runs=True)).json() == DONE


async def test_who_may_not_cancel_changes_nothing(client, anonymous, shelf, run_id, read):
    role = {"name": "only administers", "permissions": ["view", "administer"]}
    await client.post("/rest/role", json=role)
    user = {"username": "administers", "type": "automation", "roles": [role["name"]]}
    token = (await client.post("/rest/ph_user", json=user)).json()["token"]
    body = {"active": True, "cancel_runs": True}
    path, headers = f"/rest/playbook/{shelf.my_playbook}", {"ph-auth-token": token}
    response = await anonymous.post(path, json=body, headers=headers)
    assert response.status_code == 403
    assert "cancel" in response.json()["message"]
    assert (await read(run_id))["cancelled"] == ""
    assert (await anonymous.post(path, json={"active": True}, headers=headers)).json() == DONE


async def test_the_audit_names_the_playbook(client, change_playbook, shelf, start):
    await start()
    await change_playbook(cancel_runs=True)
    [entry] = (await client.get("/rest/audit?page_size=1")).json()
    assert (entry["path"], entry["object_id"], entry["status"]) == (
        f"/rest/playbook/{shelf.my_playbook}", shelf.my_playbook, 200,
    )  # fmt: skip
