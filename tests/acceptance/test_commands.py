"""The commands that talk to a running gateway, on a system that `up` has started."""

from __future__ import annotations

import json
import subprocess
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
    ],
)
def test_errors_are_one_sentence(
    command: Commands, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in command(*arguments, code=code)


def test_without_a_running_gateway(tmp_path: Path) -> None:
    assert "No gateway runs on" in Commands(tmp_path)("playbook", "list", code=1)
