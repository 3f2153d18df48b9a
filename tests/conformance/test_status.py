"""Contract 1.2 to 1.4: the run object, and what becomes of it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from prefect_phantom.adapters.rest.openapi.examples import EXAMPLES
from tests.target import Target

SECONDS = 120
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
DOCUMENTED = {
    "action_exec": list,
    "cancelled": str,
    "container": int,
    "id": int,
    "last_artifact": int,
    "log_level": int,
    "message": str,
    "owner": int | None,
    "playbook": int,
    "start_time": str,
    "status": str,
    "test_mode": bool,
    "update_time": str,
    "version": int,
}


def ended(target: Target, run_id: int) -> dict[str, Any]:
    """The run as published clients wait for it: while its status is "running"."""
    deadline = time.monotonic() + SECONDS
    while True:
        run: dict[str, Any] = target.curl(f"/rest/playbook_run/{run_id}").content
        if run["status"] != "running":
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.2)


@pytest.fixture(scope="module")
def run(target, container) -> dict[str, Any]:
    return ended(target, target.start(container))


def test_the_object_stands_alone_with_the_documented_fields(run, container):
    for name, kind in DOCUMENTED.items():
        assert isinstance(run[name], kind), name
    assert run["container"] == container
    assert run["status"] in {"success", "failed"}
    assert run["cancelled"] == ""
    assert TIME.fullmatch(run["start_time"])
    assert run["start_time"] <= run["update_time"]


def test_message_is_json_in_a_string(run):
    message = json.loads(run["message"])
    assert message["status"] == run["status"]
    assert message["playbook_run_id"] == run["id"]
    assert isinstance(message["result"], list)


def test_a_run_is_running_from_the_answer_on(target, container):
    run_id = target.start(container)
    status = target.curl(f"/rest/playbook_run/{run_id}").content["status"]
    assert status in {"running", "success", "failed"}


@pytest.mark.parametrize(
    "options",
    [
        ["-G", "-X", "GET"],
        ["-X", "GET", "-H", "Content-Type: application/json", "--data-binary", "{}"],
    ],
    ids=["-G", "with a body"],
)
def test_a_status_is_answered_however_it_is_asked_for(target, run, options):
    for path in (f"/rest/playbook_run/{run['id']}", f"/rest/playbook_run/{run['id']}/"):
        answer = target.curl(path, *options)
        assert (answer.status, answer.content["id"]) == (200, run["id"])


@pytest.mark.parametrize("query", ["pretty", "pretty=true", "pretty=True"])
def test_pretty_adds_names_and_times(target, run, query):
    answer = target.curl(f"/rest/playbook_run/{run['id']}?{query}")
    name = target.playbook.split("/")[-1]
    assert answer.content["_pretty_playbook"].endswith(name)
    assert "_pretty_start_time" in answer.content


def test_a_single_field_is_asked_for_by_its_name(target, run):
    answer = target.curl(f"/rest/playbook_run/{run['id']}/status")
    assert answer.content == {"status": run["status"]}


def test_an_unknown_run_is_a_failed_envelope(target):
    answer = target.curl("/rest/playbook_run/999999999")
    assert answer.status != 200
    assert answer.message


@pytest.mark.ours
def test_an_unknown_run_is_told_in_our_words(target):
    answer = target.curl("/rest/playbook_run/999999999")
    assert (answer.status, answer.message) == (404, 'Playbook run "999999999" not found')


@pytest.mark.ours
def test_the_fields_come_in_the_order_of_the_vendors_example(run):
    assert list(run) == list(EXAMPLES["playbook_run"])
    assert run["message"].endswith("\n")
    assert list(run["misc"]) == list(EXAMPLES["playbook_run"]["misc"])
