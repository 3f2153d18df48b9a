"""The ticket of a flow run: what it opens at the runtime API, and what it does not."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from prefect_phantom.flows.inside.runtime.ticket import make_ticket, ticket_key
from tests.runtime_key import KEY

OTHERS = {
    "claim": None,
    "refused": lambda other: {"flow_run_ids": [other]},
    "workers/w1/lease": lambda other: {"flow_run_ids": [other]},
    "workers/w1/gone": lambda other: {"runs": [{"flow_run_id": other, "process_id": 1}]},
    "workers/w1/exited": lambda other: {"flow_run_id": other, "process_id": 1, "code": 1},
    "scheduled_starts": lambda other: {
        "flow_run_id": other, "label": "events", "playbook": "examples/wait",
        "statuses": ["new"], "scope": "new",
    },
}  # fmt: skip
OF_WORKERS = {
    "started": {}, "stopping": {}, "stopped": {},
    "held": {
        "flow_run_ids": [], "work_pool": "phantom", "type": "phantom", "hostname": "h",
        "version": "1", "slots": 1, "taken": 0, "start_time": "2026-11-24T10:00:00Z",
    },
}  # fmt: skip


def ticket_of(flow_run_id: object) -> str:
    return make_ticket(ticket_key(KEY), str(flow_run_id))


async def test_a_ticket_claims_its_flow_run(ask, hand_over):
    message = await hand_over()
    answer = await ask("claim", ticket_of(message["flow_run_id"]), message)
    assert answer.status_code == 200
    assert answer.json()["playbook_run_id"] == message["playbook_run_id"]


async def test_a_ticket_renews_the_lease_of_its_run_and_tells_of_its_end(ask, hand_over, read):
    message = await hand_over()
    mine, ticket = message["flow_run_id"], ticket_of(message["flow_run_id"])
    assert (await ask("claim", ticket, message)).status_code == 200
    for path in ("workers/w1/lease", "refused"):
        answer = await ask(path, ticket, {"flow_run_ids": [mine]})
        assert answer.json()["stop"] == []
    ended = {"flow_run_id": mine, "process_id": message["process_id"], "code": 3}
    assert (await ask("workers/w1/exited", ticket, ended)).status_code == 200
    assert (await read(message["playbook_run_id"]))["status"] == "failed"


@pytest.mark.attack(
    "the ticket of one flow run, shown to claim, end or hold up another run",
    "403, and the other run is as it was",
)
@pytest.mark.parametrize("path", OTHERS)
async def test_a_ticket_is_worth_nothing_for_another_run(ask, hand_over, read, path):
    mine, other = await hand_over(), await hand_over()
    body = OTHERS[path]
    message = other if body is None else body(other["flow_run_id"])
    answer = await ask(path, ticket_of(mine["flow_run_id"]), message)
    assert answer.status_code == 403
    assert answer.json()["message"].startswith(
        f"The ticket is for flow run {mine['flow_run_id']} alone"
    )
    seen = await read(other["playbook_run_id"])
    assert (seen["status"], seen["misc"]["process_id"]) == ("running", None)


@pytest.mark.attack("the ticket of a flow run, shown as a worker's key", "401")
@pytest.mark.parametrize("event", OF_WORKERS)
async def test_a_ticket_is_no_key_of_a_worker(ask, event):
    answer = await ask(f"workers/w1/{event}", ticket_of(uuid4()), OF_WORKERS[event])
    assert answer.status_code == 401


async def test_a_ticket_is_no_token_of_an_attempt(ask, hand_over):
    message = await hand_over()
    ticket = ticket_of(message["flow_run_id"])
    assert (await ask("claim", ticket, message)).status_code == 200
    assert (await ask("leave", ticket, {})).status_code == 409


@pytest.mark.attack("a ticket that was made up, or made for another flow run", "401")
@pytest.mark.parametrize("forge", [
    lambda mine: f"{mine}.{'0' * 64}",
    lambda mine: f"{mine}.",
    str,
    lambda mine: f"{mine}.{ticket_of(uuid4()).partition('.')[2]}",
    lambda mine: make_ticket(KEY, mine),
    lambda mine: make_ticket(ticket_key(""), mine),
    lambda mine: make_ticket("", mine),
    lambda mine: ticket_of(mine).replace("-", ""),
    lambda mine: ticket_of(mine).upper(),
    lambda mine: f"{{{mine}}}.{ticket_of(mine).partition('.')[2]}",
    lambda mine: f"{ticket_key(KEY)}.{mine}",
])  # fmt: skip
async def test_a_ticket_that_was_made_up_is_refused(ask, hand_over, forge):
    message = await hand_over()
    forged = forge(UUID(message["flow_run_id"]))
    assert (await ask("claim", forged, message)).status_code == 401
