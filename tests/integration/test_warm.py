"""Warm execution: forked runs know nothing of each other, and really end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.system import System, is_alive

GRACE_SECONDS = 5
MARGIN_SECONDS = 2


def _gone(process_id: int, seconds: float) -> bool:
    """Whether the process has ended within `seconds`; one that nobody has collected counts."""
    deadline = time.monotonic() + seconds
    while is_alive(process_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_nothing_of_one_run_is_seen_by_the_next(system: System) -> None:
    for _ in range(2):
        assert system.ended(system.start("local/dirty"))["status"] == "success"
        run = system.ended(system.start("local/looks"))
        assert run["status"] == "success", run["message"]


def test_a_playbook_whose_import_starts_a_thread_finds_it_in_each_run(system: System) -> None:
    for _ in range(2):
        run = system.ended(system.start("local/threaded"))
        assert run["status"] == "success", run["message"]


def test_changed_code_is_what_the_next_run_runs(system: System) -> None:
    file = system.playbooks / "changing.py"
    text = (
        "from prefect_phantom import ActionResult, PlaybookRun, action, playbook\n\n\n"
        "@action('say', app='Local')\ndef say() -> ActionResult:\n"
        "    return ActionResult(message='MESSAGE')\n\n\n"
        "@playbook\ndef changing(run: PlaybookRun) -> None:\n    say()\n"
    )
    file.write_text(text.replace("MESSAGE", "the first"))
    assert "the first" in system.ended(system.start_when_known("local/changing"))["message"]
    file.write_text(text.replace("MESSAGE", "the second"))
    assert "the second" in system.ended(system.start("local/changing"))["message"]


def test_a_run_waits_for_a_playbook_that_does_not_import_for_a_moment(
    system: System, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    (system.playbooks / "halfway.py").write_text(
        "from pathlib import Path\nfrom prefect_phantom import playbook\n\n"
        f"TRIES = Path({str(tries)!r})\nif TRIES.exists():\n"
        "    TRIES.open('r+').write('one')\n"  # never made anew by an import that is late
        "    raise ImportError('A package that it needs is being installed')\n\n\n"
        "@playbook\ndef halfway(run):\n    pass\n"
    )
    system.known("local/halfway")
    tries.touch()
    run_id = system.start("local/halfway")
    while not tries.read_text():
        time.sleep(0.05)
    tries.unlink()
    row = system.ended(run_id)
    assert row["status"] == "success", row["message"]


def test_a_cancel_ends_a_blocked_process_and_a_grandchild_in_a_session_of_its_own(
    system: System, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    run_id = system.start("local/stubborn", inputs={"file": str(file)})
    process_id = system.executing(run_id)["misc"]["process_id"]
    while not file.exists() or not file.read_text():
        time.sleep(0.05)
    child = int(file.read_text())
    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    run = system.ended(run_id)
    assert run["cancelled"] == "Cancelled by admin"
    for each in (process_id, child):
        assert _gone(each, GRACE_SECONDS + MARGIN_SECONDS)


def test_a_process_that_a_run_leaves_behind_does_not_outlive_it(
    system: System, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    run = system.ended(system.start("local/leaves_a_process", inputs={"file": str(file)}))
    assert run["status"] == "success"
    assert _gone(int(file.read_text()), 10)


@pytest.mark.parametrize("_", range(3))
def test_a_slot_comes_back_after_every_cancel(system: System, _: int) -> None:
    ids = [system.start("wait", inputs={"seconds": 300}) for _ in range(8)]
    for run_id in ids:
        system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    assert {system.ended(run_id)["cancelled"] for run_id in ids} == {"Cancelled by admin"}
    assert system.ended(system.start("quick"))["status"] == "success"
