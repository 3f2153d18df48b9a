"""Contract 1.5 and 9: POST /rest/playbook_run/<id>."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from prefect_phantom.adapters.between.signal import Signal


@pytest.fixture
def cancel(client, run_id):
    """Asks to cancel the run, with other or further fields."""

    async def cancel(**fields):
        body = {"cancel": True} | fields
        body = {name: value for name, value in body.items() if value is not ...}
        return await client.post(f"/rest/playbook_run/{run_id}", json=body)

    return cancel


@pytest.fixture
async def under_way(run_id, change) -> int:
    """The run, with a process that holds it."""
    await change(run_id, dispatch_time=datetime.now(UTC), process_id=1)
    return run_id


async def test_an_accepted_cancel_is_answered_with_a_detail(cancel, run_id):
    response = await cancel()
    assert response.status_code == 200
    assert list(response.json().items()) == [
        ("cancelled", True),
        ("message", f"Playbook run {run_id} is being cancelled"),
    ]


@pytest.mark.parametrize("value", [True, 1, "1", "true", "TRUE"])
async def test_true_like_values_cancel(cancel, value):
    assert (await cancel(cancel=value)).status_code == 200


@pytest.mark.parametrize("value", [..., None, False, 0, 2, "no", "", [], {}])
async def test_any_other_value_is_told_that_it_asks_for_nothing(cancel, read, run_id, value):
    response = await cancel(cancel=value)
    assert response.status_code == 400
    assert response.json() == {
        "failed": True,
        "message": 'The request does not ask for a cancel: "cancel": true is missing, '
        "and no other field can be updated",
    }
    assert (await read(run_id))["cancelled"] == ""


@pytest.mark.parametrize("field", ["status", "run", "message", "Cancel"])
async def test_no_other_field_can_be_updated(cancel, read, run_id, field):
    response = await cancel(**{field: "success"})
    assert response.status_code == 400
    assert response.json()["message"] == (
        f'No other field can be updated: ["{field}"]; a playbook run takes cancel, reason'
    )
    run = await read(run_id)
    assert (run["status"], run["cancelled"]) == ("running", "")


async def test_a_queued_run_ends_at_once(cancel, read, run_id):
    await cancel()
    run = await read(run_id)
    assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by operator")
    assert json.loads(run["message"])["status"] == "failed"


async def test_a_run_under_way_keeps_running_until_its_process_is_gone(cancel, read, under_way):
    await cancel()
    run = await read(under_way)
    assert (run["status"], run["cancelled"]) == ("running", "Cancelled by operator")


async def test_a_reason_is_repeated(cancel, read, run_id):
    await cancel(reason="false positive")
    assert (await read(run_id))["cancelled"] == "Cancelled by operator: false positive"


@pytest.mark.parametrize("reason", ["", None])
async def test_an_empty_reason_is_none(cancel, read, run_id, reason):
    await cancel(reason=reason)
    assert (await read(run_id))["cancelled"] == "Cancelled by operator"


@pytest.mark.parametrize("reason", [1, True, [], {}])
async def test_a_reason_that_is_no_text_is_refused(cancel, read, run_id, reason):
    response = await cancel(reason=reason)
    assert response.status_code == 400
    assert response.json()["message"].startswith("reason must be a string")
    assert (await read(run_id))["status"] == "running"


async def test_asking_again_while_it_is_carried_out_gets_the_same_answer(cancel, read, under_way):
    first, second = await cancel(), await cancel(reason="again")
    assert second.status_code == 200
    assert second.content == first.content
    assert (await read(under_way))["cancelled"] == "Cancelled by operator"


@pytest.mark.parametrize("status", ["success", "failed"])
async def test_a_run_that_ended_is_refused_and_stays_as_it_is(cancel, read, change, run_id, status):
    await change(run_id, status=status, result=[], end_time=datetime.now(UTC), settled=True)
    before = await read(run_id)
    response = await cancel()
    assert response.status_code == 400
    assert response.json() == {
        "failed": True,
        "message": f'Playbook run {run_id} already finished with status "{status}"',
    }
    assert await read(run_id) == before


async def test_a_run_that_was_cancelled_is_refused(cancel, read, run_id):
    await cancel()
    before = await read(run_id)
    response = await cancel()
    assert response.status_code == 400
    assert response.json()["message"] == f"Playbook run {run_id} was already cancelled"
    assert await read(run_id) == before


async def test_an_accepted_cancel_wakes_the_loops(cancel, dispatch: Signal, reconcile: Signal):
    await dispatch.wait(0)
    await reconcile.wait(0)
    await cancel()
    assert await dispatch.wait(0)
    assert await reconcile.wait(0)


async def test_workers_are_told_at_once_to_end_a_run_under_way(cancel, change, under_way, stopped):
    flow_run_id = uuid4()
    await change(under_way, flow_run_id=flow_run_id)
    await cancel()
    assert stopped[-1] == flow_run_id


async def test_nobody_is_told_to_end_what_has_no_process(cancel, stopped):
    before = list(stopped)
    await cancel()
    assert stopped == before


async def test_any_known_user_may_cancel_and_is_named(anonymous, read, run_id, credentials):
    response = await anonymous.post(
        f"/rest/playbook_run/{run_id}/",
        content='{"cancel": "true"}',
        headers={"ph-auth-token": credentials.automation_token},
    )
    assert response.status_code == 200
    assert (await read(run_id))["cancelled"] == "Cancelled by script"
