"""Secrets among the arguments of a command are not left where every user can read them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from prefect_phantom.adapters.cli.arguments import without_secrets

URL = "postgresql://user:hidden@db"
TOKEN = "PREFECT_PHANTOM_TOKEN"
DATABASE = "PREFECT_PHANTOM_DATABASE_URL"
PROGRAM = Path(sys.executable).with_name("prefect-phantom")


@pytest.mark.parametrize(
    ("given", "kept", "variables"),
    [
        (["run", "list", "--token", "t", "--json"], ["run", "list", "--json"], {TOKEN: "t"}),
        (["doctor", "--token=t=t"], ["doctor"], {TOKEN: "t=t"}),
        (["up", "--database-url", URL, "--http"], ["up", "--http"], {DATABASE: URL}),
        (["up", f"--database-url={URL}"], ["up"], {DATABASE: URL}),
        (
            ["up", "--database-url", "postgresql:///?host=/tmp&password=p"],
            ["up"],
            {DATABASE: "postgresql:///?host=/tmp&password=p"},
        ),
        (["up", "--database-url", "postgresql://user@db"], ..., {}),
        (["up", "--database-url", "postgresql://[x:y@"], ..., {}),
        (["run", "list", "--token"], ..., {}),
        (["run", "list", "--token="], ..., {}),
        (["run", "list", "--token", "--json"], ..., {}),
        (["playbook", "run", "x", "--", "--token", "t"], ..., {}),
        (["token", "create", "--token-like", "x"], ..., {}),
    ],
)
def test_secrets_are_moved_and_nothing_else(given, kept, variables):
    assert without_secrets(given) == (given if kept is ... else kept, variables)


@pytest.mark.attack(
    "reading a token or a password among the arguments of a command, as any user can",
    "they are gone once it has begun",
)
def test_a_command_that_runs_shows_no_secret_and_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        url = f"http://127.0.0.1:{gateway.getsockname()[1]}"
        arguments = [PROGRAM, "run", "list", "--url", url, "--token", "hidden-token"]
        process = subprocess.Popen(
            arguments, env=os.environ | {"HOME": str(tmp_path)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            gateway.settimeout(60)
            asked, _ = gateway.accept()
            with asked:
                assert b"hidden-token" in asked.recv(65536)
                shown = psutil.Process(process.pid).cmdline()
        finally:
            process.kill()
            process.wait()
    assert "list" in shown
    assert "hidden-token" not in " ".join(shown)
