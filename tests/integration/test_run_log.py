"""What a run logs, prints and fails with, as callers read it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.system import System

TALKS = """
from prefect import get_run_logger
from prefect_phantom import ActionResult, PlaybookRun, action, playbook


@action("mutter", app="Local")
def mutter(text: str) -> ActionResult:
    print("in an action:", text)
    return ActionResult(message="m")


@playbook{arguments}
def {name}(run: PlaybookRun) -> None:
    print("printed")
    get_run_logger().error("logged as an error")
    mutter("hm")
    if run.inputs.get("fail"):
        raise ValueError("as asked")
    if run.inputs.get("wait"):
        import time
        time.sleep(600)
"""


@pytest.fixture(scope="module", params=["forked", "reused"])
def talks(request, system: System) -> str:
    name = f"talks_{request.param}"
    arguments = '(isolation="reused")' if request.param == "reused" else ""
    text = TALKS.format(name=name, arguments=arguments)
    (system.playbooks / f"{name}.py").write_text(text)
    system.known(f"local/{name}")
    return name


def _log(system: System, run_id: int, query: str = "") -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = system.get(
        f"/rest/playbook_run/{run_id}/log?page_size=0&sort=time{query}"
    )["data"]
    return lines


def _messages(lines: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(line["message_type"], line["message"]) for line in lines]


SAID = [(1, "printed"), (0, "logged as an error"), (1, "in an action: hm")]


def test_what_a_run_prints_and_logs_is_its_log(system: System, talks: str) -> None:
    run = system.ended(system.start(talks))
    assert run["status"] == "success"
    assert _messages(_log(system, run["id"])) == SAID


def test_the_exception_of_a_failed_run_is_in_its_log(system: System, talks: str) -> None:
    run = system.ended(system.start(talks, inputs={"fail": True}))
    lines = _log(system, run["id"])
    assert _messages(lines)[:-1] == SAID
    assert lines[-1]["message_type"] == 0
    assert lines[-1]["message"].startswith("Traceback")
    assert lines[-1]["message"].rstrip().endswith("ValueError: as asked")


def test_a_run_that_goes_on_can_be_read_before_its_end(system: System, talks: str) -> None:
    run_id = system.start(talks, inputs={"wait": True})
    system.run_when(run_id, lambda _: len(_log(system, run_id)) == len(SAID))
    assert _messages(_log(system, run_id)) == SAID
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    assert system.ended(run_id)["cancelled"] == "Cancelled by admin"
    assert _messages(_log(system, run_id)) == SAID


def test_a_run_whose_process_could_not_say_why_it_failed_has_the_reason_in_its_log(
    system: System,
) -> None:
    run = system.ended(system.start("local/dies"))
    [line] = _log(system, run["id"])
    assert line["message_type"] == 0
    assert line["message"] in run["message"]
    assert "7" in line["message"]


def test_a_quiet_run_has_an_empty_log(system: System) -> None:
    run = system.ended(system.start("greeting", inputs={"text": "hello"}))
    assert run["status"] == "success"
    assert _log(system, run["id"]) == []
