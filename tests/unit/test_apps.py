"""Finding apps: those that ship, those of entry points, those of folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_phantom import apps
from prefect_phantom.flows.finding.app_trial import refusals

SHIPPED = {
    "DNS",
    "GeoIP",
    "HTTP",
    "IoC",
    "RDAP",
    "SMTP",
    "Slack",
    "VirusTotal",
    "WHOIS",
    "Webhook",
}
TICKETS = '''\
"""App Tickets: what our desk works on.

More about it.
"""

from pydantic import BaseModel, SecretStr

from prefect_phantom import ActionResult, Asset, action
from prefect_phantom.apps.whois import whois_ip


class Settings(BaseModel):
    url: str
    token: SecretStr


@action("open ticket", app="Tickets")
def open_ticket(asset: Asset[Settings], title: str, urgent: bool = False) -> ActionResult:
    """Open a ticket.

    At the desk.
    """
    return ActionResult(message=title)


patient = open_ticket.with_options(retries=3)
print("imported")
'''


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    apps.load.cache_clear()
    yield
    apps.load.cache_clear()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a file into a folder of apps."""
    folder = tmp_path / "apps"
    folder.mkdir()
    monkeypatch.setenv("PREFECT_PHANTOM_APPS", str(folder))
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name: str, text: str) -> Path:
        file = folder / name
        file.write_text(text)
        return file

    return write


def described() -> dict[str, Any]:
    return {app["app"]: app for app in apps.describe()}


def test_shipped_apps_are_found_whole() -> None:
    found = described()
    assert found.keys() >= SHIPPED
    for app in found.values():
        assert app["error"] == ""
        assert app["description"]
        if app["settings"]:
            assert app["settings"]["additionalProperties"] is False
            assert "test connectivity" in [action["name"] for action in app["actions"]]
        for field in app["settings"].get("properties", {}).values():
            assert field["description"]
        for action in app["actions"]:
            assert action["description"]
            assert action["type"] in {"investigate", "contain", "correct", "generic", "test"}
            for parameter in action["parameters"].get("properties", {}).values():
                assert parameter["description"]


def test_secrets_are_named() -> None:
    found = described()
    assert found["HTTP"]["secrets"] == ["auth_token", "password", "proxy"]
    assert found["SMTP"]["secrets"] == ["password"]
    assert found["Slack"]["secrets"] == ["bot_token", "proxy", "webhook_url"]
    assert found["VirusTotal"]["secrets"] == ["api_key", "proxy"]
    assert found["Webhook"]["secrets"] == ["proxy", "secret", "url"]
    assert found["DNS"]["secrets"] == []


def test_an_action_is_found_in_all_apps_or_in_one() -> None:
    assert [action.app for action in apps.find("whois ip")] == ["RDAP", "WHOIS"]
    assert [action.app for action in apps.find("whois ip", app="RDAP")] == ["RDAP"]
    assert apps.find("whois ip", app="DNS") == []
    assert apps.find("make coffee") == []


def test_an_app_of_a_folder_is_described_like_a_shipped_one(write: Any) -> None:
    write("tickets.py", TICKETS)
    assert described()["Tickets"] == {
        "app": "Tickets",
        "description": "What our desk works on",
        "settings": {
            "properties": {
                "url": {"title": "Url", "type": "string"},
                "token": {
                    "format": "password",
                    "title": "Token",
                    "type": "string",
                    "writeOnly": True,
                },
            },
            "required": ["url", "token"],
            "title": "Settings",
            "type": "object",
        },
        "secrets": ["token"],
        "actions": [
            {
                "name": "open ticket",
                "type": "generic",
                "description": "Open a ticket.",
                "parameters": {
                    "additionalProperties": False,
                    "properties": {
                        "title": {"title": "Title", "type": "string"},
                        "urgent": {"default": False, "title": "Urgent", "type": "boolean"},
                    },
                    "required": ["title"],
                    "title": "open ticket parameters",
                    "type": "object",
                },
            }
        ],
        "error": "",
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1", "It holds no actions"),
        ("from prefect_phantom.apps.whois import whois_ip", "It holds no actions"),
    ],
)
def test_a_file_that_is_no_app_is_named_and_stops_nothing_else(
    text: str, error: str, write: Any
) -> None:
    file = write("broken.py", text)
    write("tickets.py", TICKETS)
    found = described()
    assert error in found[str(file)]["error"]
    assert found[str(file)]["actions"] == []
    assert found.keys() >= {*SHIPPED, "Tickets"}


def test_a_second_action_of_the_same_name_is_told_and_not_taken(write: Any) -> None:
    write("a.py", TICKETS)
    write("b.py", TICKETS)
    app = described()["Tickets"]
    assert len(app["actions"]) == 1
    assert app["error"].endswith('app Tickets has an action "open ticket" already')


def test_an_action_of_a_known_app_that_wants_other_settings_is_told(write: Any) -> None:
    write("more.py", TICKETS.replace('app="Tickets"', 'app="DNS"'))
    app = described()["DNS"]
    assert app["error"].endswith('action "open ticket" wants other settings than those before')
    assert "open ticket" not in [action["name"] for action in app["actions"]]


def test_modules_beside_an_app_can_be_imported_and_take_no_others_place(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("_desk.py", "NAME = 'Tickets'")
    # Of the standard library, and not imported yet.
    write("colorsys.py", "raise RuntimeError('not the standard library')")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    write("tickets.py", f"{TICKETS}import colorsys\nfrom _desk import NAME\n")
    found = described()
    assert found["Tickets"]["error"] == ""
    assert [name for name in found if name.endswith("_desk.py")] == []


def test_a_folder_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREFECT_PHANTOM_APPS", f"{tmp_path}:{tmp_path / 'gone'}:")
    error = described()[str(tmp_path / "gone")]["error"]
    assert error.endswith(f"PREFECT_PHANTOM_APPS names {tmp_path / 'gone'}, which is no folder")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **environment},
    )  # fmt: skip


def test_the_command_prints_a_line_for_each_app_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "apps"
    folder.mkdir()
    (folder / "tickets.py").write_text(TICKETS)
    (folder / "broken.py").write_text("import os; os.write(1, b'noise'); 1 / 0")
    (folder / "hostile.py").write_text("import os; os._exit(0)")
    # An app that is installed: a package with an entry point.
    site = tmp_path / "site"
    (site / "desk-1.0.dist-info").mkdir(parents=True)
    (site / "desk-1.0.dist-info" / "METADATA").write_text("Name: desk\nVersion: 1.0\n")
    (site / "desk-1.0.dist-info" / "entry_points.txt").write_text(
        "[prefect_phantom.apps]\ndesk = desk\ngone = gone.apps\nfunction = desk:open_ticket\n"
    )
    (site / "desk").mkdir()
    (site / "desk" / "__init__.py").write_text('"""App Desk: a desk."""\nfrom desk.main import *\n')
    (site / "desk" / "main.py").write_text(TICKETS.replace("Tickets", "Desk"))
    done = run("-m", "prefect_phantom.apps", PREFECT_PHANTOM_APPS=str(folder), PYTHONPATH=str(site))
    found = {app["app"]: app for app in map(json.loads, done.stdout.splitlines())}
    assert found.keys() >= {*SHIPPED, "Tickets", "Desk", "gone.apps", str(folder / "broken.py")}
    assert found["Desk"]["description"] == "A desk"
    assert found["gone.apps"]["error"] == (
        "It does not import: ModuleNotFoundError: No module named 'gone'"
    )
    assert "ZeroDivisionError" in found[str(folder / "broken.py")]["error"]
    assert found[str(folder / "hostile.py")]["error"] == (
        "Importing it ended the process with exit code 0"
    )
    assert found["desk:open_ticket"]["error"] == "It is not a module"
    assert "noise" in done.stderr


@pytest.mark.attack(
    "an app hangs or ends its process when it is imported", "told by name; the others are described"
)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os; os._exit(3)", "Importing it ended the process with exit code 3"),
        ("import time; time.sleep(60)", "Importing it took longer than 2 s"),
    ],
)
def test_an_app_that_hangs_or_ends_its_process_is_told_and_stops_nothing_else(
    text: str, reason: str, write: Any
) -> None:
    file = write("hostile.py", text)
    write("tickets.py", TICKETS)
    found = {app["app"]: app for app in apps.describe(refusals(2))}
    assert found[str(file)]["error"] == reason
    assert found.keys() >= {*SHIPPED, "Tickets"}


def test_no_app_is_imported_before_it_is_asked_for() -> None:
    done = run(
        "-c",
        "import sys, prefect_phantom.apps; "
        "print(*sorted(n for n in sys.modules if n.startswith('prefect_phantom.apps.'))); "
        "prefect_phantom.apps.load(); print('ioc_finder' in sys.modules)",
    )
    assert done.stdout.splitlines() == ["", "False"]
