"""The commands that talk to a running gateway, on a system that `up` has started."""

from __future__ import annotations

import json
import os
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.system import PROGRAM, System


class Commands:
    """Runs commands against a home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What the command prints: on stdout when it should succeed, else on stderr."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--home", self._home], check=False, capture_output=True, text=True
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr or done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture(scope="module")
def command(system: System) -> Commands:
    return Commands(system.home)


def test_list_shows_the_shipped_playbooks(command: Commands) -> None:
    assert "examples/my_playbook" in command("playbook", "list")
    names = {f"{each['repository']}/{each['name']}" for each in command.json("playbook", "list")}
    assert names >= {"examples/my_playbook", "examples/wait", "examples/fails"}


def test_run_and_wait_for_success(command: Commands) -> None:
    run = command.json("playbook", "run", "my_playbook", "--container", "42", "--wait")
    assert run["status"] == "success"
    shown = command("run", "show", str(run["id"]))
    assert "whois domain" in shown
    assert "success" in command("run", "watch", str(run["id"]))


def test_runs_are_listed_by_what_is_asked_the_newest_first(
    command: Commands, system: System
) -> None:
    started = [system.start(name) for name in ("local/quick", "local/quick", "examples/fails")]
    first, second, _ = (system.ended(run)["id"] for run in started)
    asked = ("run", "list", "--container", "42", "--playbook", "local/quick")
    found = command.json(*asked, "--limit", "2", "--status", "success")
    assert [run["id"] for run in found] == [second, first]
    assert "local/quick" in command(*asked)
    assert command.json(*asked, "--since", "2100-01-01") == []
    by_id = command.json("run", "list", "--playbook", str(found[0]["playbook"]))
    assert {run["playbook"] for run in by_id} == {found[0]["playbook"]}


def test_a_log_is_printed_whole_or_as_it_grows(command: Commands) -> None:
    arguments = ("local/quick", "--container", "42", "--input", "text=a long line " + "x" * 200)
    run = str(command.json("playbook", "run", *arguments)["playbook_run_id"])
    followed = command("run", "log", run, "--follow").splitlines()
    assert any("x" * 200 in line for line in followed), "long lines are not folded"
    assert command("run", "log", run).splitlines() == followed
    objects = [json.loads(line) for line in command("run", "log", run, "--json").splitlines()]
    assert [each["message"] in line for each, line in zip(objects, followed, strict=True)]


def test_a_run_that_is_watched_tells_of_its_actions_line_by_line(command: Commands) -> None:
    run = command.json("playbook", "run", "my_playbook", "--container", "42")["playbook_run_id"]
    lines = command("run", "watch", str(run)).splitlines()
    started = next(place for place, line in enumerate(lines) if "whois domain: started" in line)
    ended = next(place for place, line in enumerate(lines) if "whois domain: success: " in line)
    assert started < ended < next(place for place, line in enumerate(lines) if "status" in line)


def test_on_a_terminal_a_run_is_seen_live(system: System) -> None:
    """In a pseudo-terminal of 100 columns: each picture is drawn over the one before."""
    run = system.start("local/greeting", inputs={"text": "hello"})
    line = f"stty cols 100 rows 40; {PROGRAM} run watch {run} --home {system.home}"
    seen = subprocess.run(
        ["script", "--quiet", "--return", "--command", line, "/dev/null"],
        check=True, capture_output=True, text=True, env={**os.environ, "TERM": "xterm"},
    ).stdout  # fmt: skip
    assert "\x1b[?25l" in seen, "the cursor is hidden while the picture moves"
    assert "\x1b[?25h" in seen, "and shown again"
    assert "echo" in seen.rpartition("\x1b[?25h")[2], "the last picture stays, with what was done"


def test_a_container_is_made_shown_and_listed(command: Commands, tmp_path: Path) -> None:
    file = tmp_path / "sample.json"
    artifacts = [{"name": "mail", "cef": {"destinationDnsDomain": "example.org"}}]
    file.write_text(json.dumps({"name": "from a file", "label": "mails", "artifacts": artifacts}))
    options = ("--file", str(file), "--severity", "high", "--cef", "sourceAddress=192.0.2.9")
    made = str(command.json("container", "create", "Phishing", *options)["id"])
    command("playbook", "run", "local/quick", "--container", made, "--wait")
    shown = command("container", "show", made)
    for text in ("Phishing", "mails", "high", "example.org", "192.0.2.9", "local/quick"):
        assert text in shown
    whole = command.json("container", "show", made)
    assert [artifact["name"] for artifact in whole["artifacts"]] == ["mail", "artifact"]
    assert [each["id"] for each in command.json("container", "list", "--label", "mails")] == [
        int(made)
    ]
    assert "Phishing" in command("container", "list", "--name", "phish")


def test_a_playbook_is_shown_with_its_last_runs(command: Commands) -> None:
    command(
        "playbook", "run", "local/greeting", "--container", "42", "--input", "text=hi", "--wait"
    )
    shown = command("playbook", "show", "greeting")
    for text in ("local/greeting", "events", "success"):
        assert text in shown
    assert command.json("playbook", "show", "local/greeting")["labels"] == ["events"]
    assert "no_such_module" in command("playbook", "show", "local/broken")


def test_a_playbook_is_made_active_and_inactive_and_its_runs_are_cancelled(
    command: Commands, system: System
) -> None:
    assert command("playbook", "activate", "examples/wait") == "Playbook examples/wait is active.\n"
    assert command.json("playbook", "show", "examples/wait")["active"] is True
    run = system.start("examples/wait", inputs={"seconds": 60})
    command("playbook", "deactivate", "examples/wait", "--cancel-runs")
    assert system.ended(run)["cancelled"] == "Cancelled by operator"
    assert command.json("playbook", "show", "examples/wait")["active"] is False


def test_a_failed_run_has_exit_code_1(command: Commands) -> None:
    command("playbook", "run", "examples/fails", "--container", "42", "--wait", code=1)


def test_cancel(command: Commands) -> None:
    arguments = ("examples/wait", "--container", "42", "--input", "seconds=60")
    run = str(command.json("playbook", "run", *arguments)["playbook_run_id"])
    assert command("run", "cancel", run, "--reason", "wrong host").count("\n") == 1
    command("run", "watch", run, code=1)
    assert command.json("run", "show", run)["cancelled"] == "Cancelled by operator: wrong host"


def test_a_new_token_is_printed_alone_and_works(command: Commands) -> None:
    token = command("token", "create", "script").removesuffix("\n")
    assert token
    assert not any(letter.isspace() for letter in token)
    assert "my_playbook" in command("playbook", "list", "--token", token)
    assert "Invalid automation token" in command("playbook", "list", "--token", "wrong", code=1)


def test_set_id(command: Commands) -> None:
    command("playbook", "set-id", "examples/wait", "4711")
    names = {each["id"]: each["name"] for each in command.json("playbook", "list")}
    assert names[4711] == "wait"
    command("playbook", "run", "4711", "--container", "42", "--input", "seconds=0", "--wait")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("run", "show", "999999"), 1, 'Playbook run "999999" not found (HTTP 404)\n'),
        (("playbook", "set-id", "no/such", "5"), 1, 'Playbook "no/such" not found\n'),
        (("run", "show", "1", "--url", "https://192.0.2.1"), 1, "give its --token too"),
        (("run", "show", "one"), 2, "unable to convert"),
        (("playbook", "run", "x"), 2, "--container"),
        (("playbook", "run", "x", "--container", "1", "--scope", "old"), 2, "is not all, new"),
        (("playbook", "run", "x", "--container", "1", "--input", "seconds"), 2, "not KEY=VALUE"),
        (("playbook", "run", "x", "--container", "1", "--inputs", "{"), 2, "not JSON"),
        (("playbook", "show", "no/such"), 1, 'Playbook "no/such" not found\n'),
        (("run", "log", "999999"), 1, 'Playbook run "999999" not found (HTTP 404)\n'),
        (("run", "log", "999999", "--follow"), 1, 'Playbook run "999999" not found (HTTP 404)\n'),
        (("run", "list", "--status", "pending"), 2, "running"),
        (("container", "show", "999999"), 1, 'Container "999999" not found (HTTP 404)\n'),
        (("container", "create"), 2, "Give the container a NAME, or a --file that does.\n"),
        (("container", "create", "--file", "/no/such"), 1, "/no/such cannot be read: "),
        (("container", "create", "a", "--cef", "a"), 2, "not KEY=VALUE"),
    ],
)
def test_errors_are_one_sentence(
    command: Commands, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in command(*arguments, code=code)


def test_its_version_is_that_of_the_package() -> None:
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    assert said.strip() == metadata.version("prefect-phantom") != "0.0.0"


def test_without_a_running_gateway(tmp_path: Path) -> None:
    assert "No gateway runs on" in Commands(tmp_path)("playbook", "list", code=1)
