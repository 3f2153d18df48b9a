"""Contract 1.4 and 9: the JSON text in a run's `message`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import insert

from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.runs.playbook_runs import finish
from prefect_phantom.adapters.store.tables.tables import action_runs, app_runs


@pytest.fixture
def add_action(database, container):
    """Records an action that has ended, as the runtime API would, with two parameter sets."""

    async def add(run_id):
        async with database.begin() as connection:
            action_run_id = await connection.scalar(
                insert(action_runs)
                .values(
                    playbook_run_id=run_id,
                    container_id=container,
                    name="whois_domain_1",
                    start_key=uuid4(),
                    action="whois domain",
                    app="WHOIS",
                    type="investigate",
                    status="success",
                    message="1 actions succeeded",
                    create_time=datetime(2016, 1, 15, 22, 15, 55, 252000, UTC),
                    close_time=datetime(2016, 1, 15, 22, 15, 58, 53190, UTC),
                )
                .returning(action_runs.c.id)
            )
            app_run_id = await connection.scalar(
                insert(app_runs)
                .values(
                    action_run_id=action_run_id,
                    playbook_run_id=run_id,
                    container_id=container,
                    asset_name="whois",
                    app="WHOIS",
                    action="whois domain",
                    status="success",
                    entries=[
                        {
                            "parameter": {"domain": "amazon.com", "depth": 1},
                            "status": "success",
                            "message": "Country: US",
                        },
                        {"parameter": {"domain": "é"}, "status": "failed", "message": "nothing"},
                    ],
                )
                .returning(app_runs.c.id)
            )
        return action_run_id, app_run_id

    return add


async def test_it_has_the_old_shape_from_the_start(read, run_id):
    text = (await read(run_id))["message"]
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "message": "",
        "playbook_run_id": run_id,
        "playbook": "local/my_playbook",
        "result": [],
        "status": "running",
    }


async def test_its_keys_stand_in_the_vendors_order(read, run_id):
    keys = [key for key in json.loads((await read(run_id))["message"]) if key != "playbook"]
    assert keys == ["message", "playbook_run_id", "result", "status"]


async def test_the_reason_of_a_failure_stands_inside(read, run_id, change):
    await change(run_id, status="failed", message="boom", result=[], end_time=datetime.now(UTC))
    message = json.loads((await read(run_id))["message"])
    assert (message["message"], message["status"]) == ("boom", "failed")


async def test_entries_carry_old_and_newer_names(read, run_id, add_action):
    action_run_id, app_run_id = await add_action(run_id)
    message = json.loads((await read(run_id))["message"])
    assert message["result"] == [
        {
            "action": "whois domain",
            "app_runs": [
                {
                    "action": "whois domain",
                    "action_run_id": action_run_id,
                    "app_message": "Country: US",
                    "app_name": "WHOIS",
                    "app_run_id": app_run_id,
                    "asset_name": "whois",
                    "parameter": '{"domain": "amazon.com", "depth": 1}',
                    "per_parameter_status": "success",
                    "app": "WHOIS",
                    "status": "success",
                },
                {
                    "action": "whois domain",
                    "action_run_id": action_run_id,
                    "app_message": "nothing",
                    "app_name": "WHOIS",
                    "app_run_id": app_run_id,
                    "asset_name": "whois",
                    "parameter": '{"domain": "\\u00e9"}',
                    "per_parameter_status": "failed",
                    "app": "WHOIS",
                    "status": "failed",
                },
            ],
            "close_time": "2016-01-15T22:15:58.05319+00:00",
            "create_time": "2016-01-15T22:15:55.252+00:00",
            "id": action_run_id,
            "message": "1 actions succeeded",
            "status": "success",
            "type": "investigate",
        }
    ]


async def test_its_entries_keep_the_vendors_order_of_keys(read, run_id, add_action):
    await add_action(run_id)
    (action,) = json.loads((await read(run_id))["message"])["result"]
    assert list(action) == sorted(action)
    assert list(action["app_runs"][0])[:8] == [
        "action", "action_run_id", "app_message", "app_name", "app_run_id", "asset_name",
        "parameter", "per_parameter_status",
    ]  # fmt: skip


async def test_it_is_the_same_after_the_end_but_for_the_status(database, read, run_id, add_action):
    await add_action(run_id)
    before = json.loads((await read(run_id))["message"])
    async with database.begin() as connection:
        await finish(connection, run_id, "success", "")
    after = json.loads((await read(run_id))["message"])
    assert after == before | {"status": "success"}


async def test_a_setting_gives_the_parameter_as_an_object(build, connect, run_id, add_action):
    await add_action(run_id)
    async with connect(build(Settings(message_parameter="object"))) as client:
        run = (await client.get(f"/rest/playbook_run/{run_id}")).json()
    (action,) = json.loads(run["message"])["result"]
    assert action["app_runs"][0]["parameter"] == {"domain": "amazon.com", "depth": 1}
