"""A run's whole way: from the POST through Prefect and a worker's process, and back."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from prefect_phantom.client import AsyncPhantom
from tests.system import PASSWORD, RUN_SECONDS, System, flow_run_of, is_alive


async def test_my_playbook_ends_in_success_with_both_actions_in_its_message(
    system: System, prefect: PrefectClient
) -> None:
    run = system.ended(system.start("my_playbook"))
    message = json.loads(run["message"])
    assert (run["status"], message["status"], message["message"]) == ("success", "success", "")
    assert [action["action"] for action in message["result"]] == ["whois ip", "whois domain"]
    entries = [entry for action in message["result"] for entry in action["app_runs"]]
    assert {entry["per_parameter_status"] for entry in entries} == {"success"}
    assert "Domain: example.org" in "\n".join(entry["app_message"] for entry in entries)
    # One Prefect task run for each parameter set.
    own = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run["misc"]["flow_run_id"])]))
    with anyio.fail_after(RUN_SECONDS):  # Prefect records task runs from events, a little later
        while len(task_runs := await prefect.read_task_runs(flow_run_filter=own)) < len(entries):
            await anyio.sleep(0.1)
    assert len(task_runs) == len(entries)
    flow_run = await flow_run_of(prefect, run)
    name = f"Sample: suspicious outbound connections: my_playbook #{run['id']}"
    assert flow_run.name == name
    tags = {"repository:examples", "label:events", f"playbook_run:{run['id']}", "container:42"}
    assert tags <= set(flow_run.tags)


def test_a_playbook_that_lets_a_failure_out_ends_failed_with_its_reason(system: System) -> None:
    run = system.ended(system.start("examples/fails"))
    message = json.loads(run["message"])
    assert run["status"] == "failed"
    assert [action["status"] for action in message["result"]] == ["success", "failed"]
    assert message["message"]
    assert run["cancelled"] == ""


@pytest.mark.attack(
    "a template of Prefect's (`__prefect_kind`) in `inputs` of a run that is carried out",
    "reaches the playbook as it was sent, and Prefect never",
)
async def test_inputs_reach_the_playbook_as_they_were_sent_and_never_prefect(
    system: System, prefect: PrefectClient
) -> None:
    template = {"__prefect_kind": "jinja", "template": "{{ 6 * 7 }}"}
    sent: dict[str, Any] = {"text": json.dumps(template), "deep": template, "word": "žluťoučký"}
    run = system.ended(system.start("greeting", inputs=sent))
    entry = json.loads(run["message"])["result"][0]["app_runs"][0]
    assert entry["app_message"] == json.dumps(template)
    assert [json.loads(text) for text in run["inputs"]] == [sent]
    flow_run = await flow_run_of(prefect, run)
    assert flow_run.parameters == {"container_id": 42, "playbook_run_id": run["id"]}


def test_a_list_of_artifacts_is_the_scope_that_the_playbook_sees(system: System) -> None:
    artifact = system.post(
        "/rest/artifact",
        {
            "container_id": 42,
            "name": "one",
            "label": "event",
            "cef": {"sourceAddress": "192.0.2.9"},
        },
    )["id"]
    run = system.ended(system.start("my_playbook", scope=[artifact]))
    result = json.loads(run["message"])["result"]
    assert [json.loads(e["parameter"]) for e in result[0]["app_runs"]] == [{"ip": "192.0.2.9"}]
    assert len(result) == 1


def test_scope_new_sees_only_what_came_since_the_last_run(system: System) -> None:
    system.ended(system.start("quick", scope="new"))
    added = system.post("/rest/artifact", {"container_id": 42, "name": "later", "label": "event"})
    run = system.ended(system.start("quick", scope="new"))
    assert (run["status"], run["last_artifact"]) == ("success", added["id"])


def test_a_new_file_is_found_and_one_that_does_not_import_is_listed_as_broken(
    system: System,
) -> None:
    def listed(name: str) -> dict[str, Any] | None:
        rows = system.get("/rest/playbook?page_size=0")["data"]
        return next((row for row in rows if row["name"] == name), None)

    broken = listed("broken")
    assert broken is not None
    assert "no_such_module" in broken["error"]
    run = system.ended(system.start("local/broken"))
    assert run["status"] == "failed"
    assert "no_such_module" in json.loads(run["message"])["message"]
    (system.playbooks / "fresh.py").write_text(
        "from prefect_phantom import PlaybookRun, playbook\n\n\n"
        "@playbook\ndef fresh(run: PlaybookRun) -> None:\n    pass\n"
    )
    run_id = system.start_when_known("local/fresh")
    assert system.ended(run_id)["status"] == "success"


async def test_the_python_client_runs_waits_and_cancels(system: System) -> None:
    async with AsyncPhantom(
        system.url, username="admin", password=PASSWORD, verify=False
    ) as phantom:
        run_id = await phantom.run("quick", 42, inputs={"a": 1})
        assert (await phantom.wait(run_id, timeout=60)).succeeded
        waiting = await phantom.run("wait", 42, inputs={"seconds": 300})
        await phantom.cancel(waiting, reason="tested")
        ended = await phantom.wait(waiting, timeout=60)
        assert ended.was_cancelled
        assert ended.cancelled == "Cancelled by admin: tested"


def test_the_runs_of_a_playbook_are_cancelled_together_and_their_processes_are_gone(
    system: System,
) -> None:
    waiting = [system.start("wait", inputs={"seconds": 300}) for _ in range(2)]
    processes = [system.executing(run_id)["misc"]["process_id"] for run_id in waiting]
    playbook = system.get(f"/rest/playbook_run/{waiting[0]}")["playbook"]
    system.post(f"/rest/playbook/{playbook}", {"active": False, "cancel_runs": True})
    for run_id in waiting:
        run = system.ended(run_id)
        assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by admin")
    assert [is_alive(process) for process in processes] == [False, False]
