"""What a program hears of a run while it goes on, from a system that `up` has started."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from prefect_phantom.client import (
    ActionEnded,
    ActionRun,
    ActionStarted,
    AsyncPhantom,
    LogWritten,
    RunChanged,
)
from tests.system import PASSWORD, System

WAITS = """
    import time
    from pathlib import Path
    from prefect_phantom import ActionResult, PlaybookRun, action, playbook

    @action("wait for file", app="Local")
    def wait_for_file(file: str) -> ActionResult:
        while not Path(file).exists():
            time.sleep(0.05)
        return ActionResult(message="it is there")

    @playbook
    def waits_for_files(run: PlaybookRun) -> None:
        print("before the first")
        for file in run.inputs["files"]:
            wait_for_file(file)
        print("after the last")
"""


@pytest.fixture
def files(system: System, tmp_path: Path) -> list[str]:
    """Two files that are not there; actions of `local/waits_for_files` wait for them."""
    playbook = system.playbooks / "waits_for_files.py"
    if not playbook.exists():
        playbook.write_text(textwrap.dedent(WAITS))
        system.known("local/waits_for_files")
    return [str(tmp_path / "first"), str(tmp_path / "second")]


def test_actions_are_heard_of_as_they_start_and_end_and_lines_as_they_come(
    system: System, files: list[str]
) -> None:
    run_id = system.phantom.run("local/waits_for_files", 42, inputs={"files": files})
    heard = []
    for event in system.phantom.watch(run_id, timeout=60, poll=0.1):
        match event:
            case ActionStarted():
                heard.append("started")
                # Had it not been heard of before its end, the run would wait for ever.
                Path(files[heard.count("started") - 1]).touch()
            case ActionEnded(action):
                heard.append(f"ended: {action.status}: {action.message}")
            case LogWritten(line):
                heard.append(line.message)
            case RunChanged(run) if not run.running:
                heard.append(run.status)
    end = "ended: success: 1 actions succeeded"
    actions = [word for word in heard if "start" in word or "end" in word]
    assert actions == ["started", end, "started", end]
    assert heard[-1] == "success"
    first, last = (
        next(place for place, word in enumerate(heard) if sentence in word)
        for sentence in ("before the first", "after the last")
    )
    assert first < last
    assert [line.message for line in system.phantom.log(run_id)] == [
        word for word in heard[:-1] if "start" not in word and "end" not in word
    ]


async def test_an_async_program_hears_the_same_and_the_end_of_what_was_cancelled(
    system: System, files: list[str]
) -> None:
    async with AsyncPhantom(
        system.url, username="admin", password=PASSWORD, verify=False
    ) as phantom:
        run_id = await phantom.run("local/waits_for_files", 42, inputs={"files": files})
        events = []
        async for event in phantom.watch(run_id, timeout=60, poll=0.1):
            events.append(event)
            if isinstance(event, ActionStarted):
                await phantom.cancel(run_id)
        kinds = [type(event) for event in events]
        assert kinds.count(ActionStarted) == kinds.count(ActionEnded) == 1
        ended = next(event for event in events if isinstance(event, ActionEnded))
        assert ended.action_run.status == "failed"
        end = events[-1]
        assert isinstance(end, RunChanged)
        assert end.run.was_cancelled
        assert await phantom.get(ActionRun, ended.action_run.id) == ended.action_run


def test_a_run_that_has_ended_is_told_whole_at_once(system: System) -> None:
    run_id = system.phantom.run("examples/my_playbook", 42)
    system.phantom.wait(run_id, timeout=60)
    events = list(system.phantom.watch(run_id))
    starts = [event for event in events if isinstance(event, ActionStarted)]
    assert {event.action_run.action for event in starts} == {"whois ip", "whois domain"}
    assert len(starts) == sum(isinstance(event, ActionEnded) for event in events)
    assert isinstance(events[-1], RunChanged)
    times = [event.time for event in events[:-1]]
    assert times == sorted(times)


def test_hearing_of_a_run_ends_after_its_timeout(system: System, files: list[str]) -> None:
    run_id = system.phantom.run("local/waits_for_files", 42, inputs={"files": files})
    with pytest.raises(TimeoutError, match=r"within 0\.5 seconds"):
        list(system.phantom.watch(run_id, timeout=0.5, poll=0.1))
    system.phantom.cancel(run_id)
    assert system.phantom.wait(run_id, timeout=60).was_cancelled
