"""The app Phantom: what a playbook does to its own case, as callers of the contract see it."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest

from tests.system import System

PLAYBOOK = """
    from prefect_phantom import ActionFailure, PlaybookRun, playbook
    from prefect_phantom.apps import phantom

    @playbook(name="{name}")
    def works_on_its_case(run: PlaybookRun) -> None:
        phantom.no_op(sleep_seconds=0.01)
        phantom.add_artifact(
            name="found", source_data_identifier="found", cef_name="sourceAddress",
            cef_value="192.0.2.9", contains="ip, host", cef_dictionary='{{"fileName": "a.exe"}}',
        )
        phantom.update_artifact(
            artifact_id=run.artifacts[0].id, cef_json={{"added": 1}}, tags="one, 'two'",
            severity="high",
        )
        phantom.add_listitem(list="{name}", new_row='["192.0.2.9", 3, None]', create=True)
        phantom.add_listitem(list="{name}", new_row="192.0.2.10")
        phantom.set_status(status="open")
        phantom.set_severity(severity="low")
        phantom.add_note(title="What was found", content="**a.exe**")
        phantom.add_comment(comment="looked at")
        phantom.pin(message="a.exe", data="found", pin_type="card", pin_style="red")
        try:
            phantom.add_artifact(source_data_identifier="found")
        except ActionFailure as failure:
            print("refused:", failure)
        try:
            phantom.add_listitem(list="no such list", new_row="x")
        except ActionFailure as failure:
            print("refused:", failure)
"""


@pytest.fixture
def name(system: System) -> str:
    name = f"case-{uuid4().hex[:8]}"
    (system.playbooks / f"{name}.py").write_text(dedent(PLAYBOOK.format(name=name)))
    system.known(f"local/{name}")
    return name


def data(system: System, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = system.get(f"/rest/{path}?page_size=0")["data"]
    return found


def test_a_playbook_works_on_its_case(system: System, name: str) -> None:
    new = {"name": "case", "label": name, "artifacts": [{"name": "first", "cef": {"had": 0}}]}
    container = system.post("/rest/container", new)["id"]
    run = system.ended(system.start(name, container_id=container))
    assert run["status"] == "success", run["message"]
    user = run["effective_user"]
    assert user is not None

    first, found = data(system, f"container/{container}/artifacts")
    assert (first["cef"], first["tags"]) == ({"had": 0, "added": 1}, ["one", "two"])
    assert first["severity"] == "high"
    assert found["cef"] == {"sourceAddress": "192.0.2.9", "fileName": "a.exe"}
    assert found["cef_types"] == {"sourceAddress": ["ip", "host"]}
    assert (found["name"], found["label"]) == ("found", "event")
    case = system.get(f"/rest/container/{container}")
    assert (case["status"], case["severity"]) == ("open", "low")
    (note,) = data(system, f"container/{container}/notes")
    assert (note["title"], note["content"], note["author"]) == ("What was found", "**a.exe**", user)
    (comment,) = data(system, f"container/{container}/comments")
    assert (comment["comment"], comment["user"]) == ("looked at", user)
    (pin,) = data(system, f"container/{container}/pins")
    assert (pin["message"], pin["data"], pin["author"]) == ("a.exe", "found", user)
    content = system.get(f"/rest/decided_list/{name}")["content"]
    assert content == [["192.0.2.9", 3, None], ["192.0.2.10"]]

    entries = [
        each
        for each in system.get("/rest/audit")
        if each["message"] == f"By playbook run {run['id']}"
    ]
    assert len(entries) == 9
    assert {each["user"] for each in entries} == {user}
    messages = [
        part["app_message"]
        for action in json.loads(run["message"])["result"]
        for part in action["app_runs"]
    ]
    assert "Slept for 0.01 seconds" in messages
    log = [line["message"] for line in data(system, f"playbook_run/{run['id']}/log")]
    refused = [line for line in log if line.startswith("refused:")]
    assert "duplicate artifact" in refused[0]
    assert 'Custom list "no such list" not found' in refused[1]
