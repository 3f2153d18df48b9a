"""Assets by the command line, on a system that `up` has started."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.system import PROGRAM, System

SECRET = f"s3cret-{uuid4().hex}"


class Commands:
    """Runs commands against a home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        """What the command prints, on stdout and stderr."""
        done = subprocess.run(
            [PROGRAM, "asset", *arguments, "--home", self._home],
            check=False, capture_output=True, text=True, input=stdin,
        )  # fmt: skip
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def show(self, name: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self("show", name, "--json"))
        return shown

    def on_a_terminal(self, *arguments: str, typed: str) -> str:
        """What is seen on a terminal where somebody types this when asked."""
        process_id, terminal = pty.fork()
        if process_id == 0:
            os.execv(PROGRAM, [PROGRAM, "asset", *arguments, "--home", str(self._home)])
        seen = ""
        while not seen.endswith(": "):
            seen += os.read(terminal, 1000).decode()
        os.write(terminal, f"{typed}\n".encode())
        try:
            while more := os.read(terminal, 1000).decode():
                seen += more
        except OSError:
            pass  # the other side has closed it
        assert os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]) == 0, seen
        return seen


@pytest.fixture(scope="module")
def asset(system: System) -> Commands:
    return Commands(system.home)


@pytest.fixture
def made(asset: Commands) -> str:
    name = f"ldap {uuid4().hex[:8]}"
    options = ["--set", "host=192.0.2.5", "--set", "port=636", "--limit", "2"]
    asset("create", name, "--app", "LDAP", *options, "--secret", "password", stdin=f"{SECRET}\n")
    return name


def test_an_asset_is_made_with_a_secret_from_standard_input(asset: Commands, made: str) -> None:
    shown = asset.show(made)
    assert shown["configuration"] == {"host": "192.0.2.5", "port": 636}
    assert (list(shown["secret_blocks"]), shown["action_limit"]) == (["password"], 2)
    for listing in (asset("list"), asset("show", made), json.dumps(shown)):
        assert made in listing
        assert SECRET not in listing


def test_what_is_not_named_in_a_change_stays(asset: Commands, made: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{SECRET}\n")
    asset("change", made, "--set", "filter=x", "--secret", f"client_key=@{key}", "--disable")
    shown = asset.show(made)
    assert shown["configuration"] == {"host": "192.0.2.5", "port": 636, "filter": "x"}
    assert sorted(shown["secret_blocks"]) == ["client_key", "password"]
    assert (shown["disabled"], shown["action_limit"]) == (True, 2)
    asset("change", made, "--unset", "filter", "--unset", "password", "--no-limit", "--enable")
    shown = asset.show(made)
    assert shown["configuration"] == {"host": "192.0.2.5", "port": 636}
    assert list(shown["secret_blocks"]) == ["client_key"]
    assert (shown["disabled"], shown["action_limit"]) == (False, None)


def test_a_secret_that_is_typed_is_not_seen(asset: Commands, made: str) -> None:
    block = asset.show(made)["secret_blocks"]["password"]
    seen = asset.on_a_terminal("change", made, "--secret", "password", typed=SECRET)
    assert "password: " in seen
    assert SECRET not in seen
    assert asset.show(made)["secret_blocks"]["password"] == block


def test_a_secret_among_the_arguments_is_refused(asset: Commands, made: str) -> None:
    refused = asset("change", made, "--secret", f"password={SECRET}", code=2)
    assert "takes no value, which everybody on the machine could read" in refused
    assert SECRET not in refused
    for value in (f"url=https://{SECRET}@h.example", f'headers={{"Authorization": "{SECRET}"}}'):
        refused = asset("change", made, "--set", value, code=2)
        assert "looks secret" in refused
        assert SECRET not in refused
    refused = asset("change", made, "--set", f"password={SECRET}", code=2)
    assert "password looks secret: give it with --secret password" in refused


def test_another_server_gets_no_secret_that_is_not_given_anew(asset: Commands, made: str) -> None:
    refused = asset("change", made, "--set", "host=192.0.2.66", code=1)
    assert 'give "password" anew in the same request' in refused
    asset("change", made, "--set", "host=192.0.2.66", "--secret", "password", stdin=f"{SECRET}\n")
    assert asset.show(made)["configuration"]["host"] == "192.0.2.66"


def test_an_asset_is_renamed_and_deleted(asset: Commands, made: str) -> None:
    asset("change", made, "--rename", f"{made} 2", "--description", "the other one")
    assert "not found" in asset("show", made, code=1)
    asset("delete", f"{made} 2")
    assert f'Asset "{made} 2" not found' in asset("delete", f"{made} 2", code=1)


def test_an_asset_is_tested(asset: Commands, made: str) -> None:
    assert "success" in asset("test", "whois")
    assert 'App LDAP has no action "test connectivity"' in asset("test", made, code=1)
    asset("change", made, "--disable")
