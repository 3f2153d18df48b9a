"""``prefect-phantom doctor``: one line for each part, and what to do about what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import PROGRAM, RUN_SECONDS, System


def doctor(home: Path, *arguments: str, code: int, **variables: str) -> str:
    """What it prints."""
    done = subprocess.run(
        [PROGRAM, "doctor", "--home", home, *arguments],
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def broken(system: System) -> list[str]:
    playbooks = system.get("/rest/playbook?page_size=0")["data"]
    return [each["name"] for each in playbooks if each["error"]]


@pytest.fixture
def mended(system: System) -> Iterator[None]:
    """Every playbook imports, for as long as the test takes."""
    kept = {}
    template = "from prefect_phantom import playbook\n\n@playbook\ndef {name}(run):\n    pass\n"
    for name in broken(system):
        file = system.playbooks / f"{name}.py"
        kept[file] = file.read_text()
        file.write_text(template.format(name=name))
    _until(lambda: not broken(system))
    yield
    for file, text in kept.items():
        file.write_text(text)
    _until(lambda: len(broken(system)) == len(kept))


def _until(condition) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.usefixtures("mended")
def test_where_all_is_well_every_line_says_so(system: System) -> None:
    name = system.worker_environment()["PREFECT_PHANTOM_WORKER_NAME"]
    lines = doctor(system.home, code=0).splitlines()
    assert all(line.startswith("ok ") for line in lines)
    for part in (
        f"The gateway at {system.url} answers and is ready.",
        "The gateway's clock and this one are ",
        "The certificate is valid until 20",
        "The token is an administrator's.",
        "; its schema is the newest, 00",
        "The gateway reaches Prefect 3.",
        f"Worker {name} is online, ",
        " runs are queued, ",
        " playbooks import.",
        f" GiB are free for {system.home}.",
    ):
        assert sum(part in line for line in lines) == 1, (part, lines)


def test_a_playbook_that_does_not_import_is_named_with_its_error(system: System) -> None:
    findings = json.loads(doctor(system.home, "--json", code=1))
    (told,) = [each for each in findings if each["sentence"].startswith("Playbook local/broken ")]
    assert told["ok"] is False
    assert "No module named 'no_such_module'" in told["sentence"]


def test_a_wrong_token_is_told_after_what_needs_none(system: System) -> None:
    lines = doctor(system.home, "--token", "wrong", code=1).splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == [
        "!! The gateway tells us nothing: Invalid automation token (HTTP 401)."
    ]
    assert any("answers and is ready" in line for line in lines)


def test_a_token_that_is_no_administrators_is_told(system: System) -> None:
    token = system.post("/rest/ph_user", {"username": "visitor", "type": "automation"})["token"]
    out = doctor(system.home, "--token", token, code=1)
    assert 'User "visitor" lacks the permission "administer"' in out


def test_where_nothing_listens_it_says_what_to_start(tmp_path: Path) -> None:
    out = doctor(tmp_path, "--url", "http://127.0.0.1:1", "--token", "any", code=1)
    assert "!! No answer from http://127.0.0.1:1: " in out
    assert "`prefect-phantom up`" in out


def test_a_certificate_that_nobody_signed_is_told(system: System, tmp_path: Path) -> None:
    out = doctor(tmp_path, "--url", system.url, "--token", "any", code=1)
    assert "CERTIFICATE_VERIFY_FAILED" in out


def test_without_an_installation_it_says_so(tmp_path: Path) -> None:
    assert f"No gateway runs on {tmp_path}" in doctor(tmp_path, code=1)
