"""Users, roles and tokens by the command line, on a system that `up` has started."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system import PASSWORD, PROGRAM, System


class Commands:
    """Runs commands against a home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        """What the command prints: on stdout when it should succeed, else on stderr."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--home", self._home],
            check=False, capture_output=True, text=True, input=stdin,
        )  # fmt: skip
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def named(self, *arguments: str) -> dict[str, Any]:
        """What a command lists, by names."""
        listed = json.loads(self(*arguments, "--json"))
        return {each.get("username") or each["name"]: each for each in listed}


@pytest.fixture(scope="module")
def command(system: System) -> Commands:
    return Commands(system.home)


def status(system: System, auth: tuple[str, str], path: str = "/rest/role") -> int:
    return httpx.get(f"{system.url}{path}", auth=auth, verify=False).status_code


def test_a_first_start_has_one_person_and_the_command_line_itself(command: Commands) -> None:
    users = command.named("user", "list")
    assert users["admin"]["roles"] == users["operator"]["roles"] == ["Administrator"]
    assert users["admin"]["type"] == "normal"


def test_a_person_is_made_changed_disabled_and_enabled(command: Commands, system: System) -> None:
    command("user", "create", "ana", "--role", "Observer", stdin="first secret\n")
    assert status(system, ("ana", "first secret")) == 200
    command("user", "change", "ana", "--password", stdin="second secret\n")
    assert status(system, ("ana", "first secret")) == 401
    assert status(system, ("ana", "second secret")) == 200
    command("user", "change", "ana", "--role", "Incident Commander", "--allow", "192.0.2.0/24")
    shown = command.named("user", "list")["ana"]
    assert shown["roles"] == ["Incident Commander"]
    assert shown["allowed_ips"] == ["192.0.2.0/24"]
    assert status(system, ("ana", "second secret")) == 403
    command("user", "change", "ana", "--allow", "any")
    command("user", "disable", "ana")
    assert status(system, ("ana", "second secret")) == 401
    assert "disabled" in command("user", "list")
    command("user", "enable", "ana")
    assert status(system, ("ana", "second secret")) == 200


def test_a_token_has_the_role_it_is_made_with_and_is_revoked(
    command: Commands, system: System
) -> None:
    token = command("token", "create", "watcher", "--role", "Observer", "--days", "1").strip()
    assert status(system, ("", token)) == 200
    refused = command("playbook", "run", "quick", "--container", "42", "--token", token, code=1)
    assert 'User "watcher" lacks the permission "run_playbooks" (HTTP 403)' in refused
    further = command("token", "create", "watcher").strip()
    first, second = json.loads(command("token", "list", "watcher", "--json"))
    assert first["expire_time"] is not None
    assert second["expire_time"] is None
    command("token", "revoke", "watcher", str(first["id"]))
    assert status(system, ("", token)) == 401
    assert status(system, ("", further)) == 200
    assert "never" in command("token", "list", "watcher")


def test_a_role_is_made_changed_and_deleted(command: Commands, system: System) -> None:
    command("role", "create", "stoppers", "--permit", "view", "--permit", "cancel")
    token = command("token", "create", "stopper", "--role", "stoppers").strip()
    assert status(system, ("", token)) == 200
    command("role", "change", "stoppers", "--permit", "cancel", "--description", "only stops")
    assert status(system, ("", token)) == 403
    assert command.named("role", "list")["stoppers"]["permissions"] == ["cancel"]
    assert "users have it: 1" in command("role", "delete", "stoppers", code=1)
    command("user", "change", "stopper", "--role", "Observer")
    command("role", "delete", "stoppers")
    assert "stoppers" not in command("role", "list")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("user", "disable", "nobody"), 'User "nobody" not found'),
        (("user", "disable", "admin"), "nobody with a password who may administer"),
        (("token", "list", "nobody"), 'User "nobody" not found'),
        (("token", "revoke", "operator", "999999"), 'Token "999999" not found'),
        (("token", "create", "operator", "--role", "Observer"), "change its roles and networks by"),
        (("token", "create", "admin"), "is not an automation user"),
        (("role", "create", "flier", "--permit", "fly"), "permissions must be a list of view, "),
        (("role", "delete", "Observer"), "is shipped and cannot be changed"),
        (("role", "delete", "nothing"), 'Role "nothing" not found'),
    ],
)
def test_errors_are_one_sentence(
    command: Commands, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in command(*arguments, code=1)


def test_no_secret_of_a_whole_run_is_in_any_log(command: Commands, system: System) -> None:
    """Everything that is secret here is used, rightly and wrongly, and then looked for."""
    password, wrong = "a-password-of-ana's", "a-wrong-password"
    command("user", "create", "bea", "--role", "Automation", stdin=f"{password}\n")
    token = command("token", "create", "logged").strip()
    body = {"container_id": 42, "playbook_id": "examples/wait", "run": True}
    value = "a-secret-input"
    with httpx.Client(base_url=system.url, verify=False, timeout=30) as client:
        started = client.post(
            "/rest/playbook_run",
            json={**body, "inputs": {"seconds": 0, "key": value}},
            headers={"ph-auth-token": token},
        )
        for auth in (("bea", password), ("bea", wrong), ("", token), ("", "a-wrong-token")):
            client.get(f"/rest/playbook_run?password={password}&token={token}", auth=auth)
            client.delete("/rest/playbook_run/1", auth=auth)
            client.post("/rest/ph_user", json={"username": "x", "password": wrong}, auth=auth)
            client.post("/rest/playbook_run", content=f"{{{password}", auth=auth)
            client.post("/rest/playbook_run", json={**body, "scope": value}, auth=auth)
        client.post("/rest/ph_user", json={"username": "short", "type": "normal", "password": 12})
        client.get("/rest/audit", headers={"Authorization": f"Bearer {token}"})
        audit = client.get("/rest/audit", auth=("admin", PASSWORD)).text
    system.ended(int(started.json()["playbook_run_id"]))
    secrets = {
        "password": password,
        "wrong password": wrong,
        "token": token,
        "wrong token": "a-wrong-token",
        "input": value,
        "runtime key": (system.home / "runtime.key").read_text().strip(),
        "operator's token": (system.home / "operator.token").read_text().strip(),
        "Prefect's login": system.prefect_auth.partition(":")[2],
    }
    logs = {file: file.read_text(errors="replace") for file in (system.home / "logs").iterdir()}
    assert any("/rest/playbook_run" in text for text in logs.values())
    found = [
        (name, file.name)
        for name, secret in secrets.items()
        for file, text in [*logs.items(), (Path("audit"), audit)]
        if secret in text
    ]
    assert found == []
