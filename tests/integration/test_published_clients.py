"""Two clients that others have published, as they are, against the real gateway."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
import requests
from soarsdk.client import PhantomClient
from soarsdk.exceptions import PlaybookException
from soarsdk.objects import Artifact, Container, Note, Playbook
from splunk_soar_mcp.app import SoarApp
from splunk_soar_mcp.config import Settings
from splunk_soar_mcp.server import build_server

from tests.system import System

pytestmark = [
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]


@pytest.fixture(scope="module")
def token(system: System) -> str:
    user = {"username": f"client {uuid4().hex}", "type": "automation"}
    token: str = system.post("/rest/ph_user", user)["token"]
    return token


@pytest.fixture
def soarsdk(system: System, token: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with requests.Session() as session:
        session.headers["ph-auth-token"] = token
        session.verify = False
        yield PhantomClient(system.url, session=session)


@pytest.fixture
async def call(system: System, token: str, monkeypatch: pytest.MonkeyPatch):
    """Calls a tool of splunk-soar-mcp and returns its text."""
    monkeypatch.setenv("SPLUNK_SOAR_URL", system.url)
    monkeypatch.setenv("SPLUNK_SOAR_API", token)
    monkeypatch.setenv("SOAR_MCP_MODE", "full")
    monkeypatch.setenv("SOAR_MCP_VERIFY_SSL", "false")
    monkeypatch.setenv("SOAR_MCP_ENV_FILE", "/dev/null")
    apps: list[SoarApp] = []

    def make(settings: Settings) -> SoarApp:
        apps.append(SoarApp(settings))
        return apps[-1]

    # It leaves its connections to the end of its process; here they are closed.
    monkeypatch.setattr("splunk_soar_mcp.server.SoarApp", make)
    server = build_server()

    async def call(tool: str, **arguments: Any) -> str:
        result = await server.call_tool(tool, arguments)
        assert not result.is_error, result
        text: str = result.content[0].text
        return text

    yield call
    for app in apps:
        await app.client.aclose()


@pytest.fixture
def whois_container(soarsdk) -> Container:
    """Made by soarsdk, with an artifact that `my_playbook` works on."""
    container = Container(name="from soarsdk", label="events", tags=["sdk"])
    soarsdk.create_container(container)
    artifact = Artifact(name="ioc", label="event", cef={"destinationDnsDomain": "example.org"})
    soarsdk.create_artifacts(container, artifact)
    return container


def test_soarsdk_runs_a_playbook_and_reads_all_that_it_did(soarsdk, whois_container) -> None:
    assert whois_container.severity == "medium"
    assert [each.cef for each in whois_container.artifacts] == [
        {"destinationDnsDomain": "example.org"}
    ]
    playbook_id = soarsdk.get_playbook_id_from_name("examples/my_playbook")
    soarsdk.run_playbooks(whois_container, Playbook(name="examples/my_playbook"))
    [run] = whois_container.playbooks
    assert (run.playbook_id, run.name, run.status) == (playbook_id, "my_playbook", "success")
    [action] = run.actions
    assert (action.name, action.app_name) == ("whois domain", "WHOIS")
    assert action.result_data[0]["parameter"] == {"domain": "example.org"}
    assert action.result_summary == {"total_objects": 1, "total_objects_successful": 1}
    assert json.loads(run.message)["result"][0]["app_runs"][0]["status"] == "success"


def test_soarsdk_sees_the_exception_of_a_run_that_failed(soarsdk, whois_container) -> None:
    whois_container.add_playbooks(Playbook(name="fails"))
    with pytest.raises(PlaybookException):
        soarsdk.run_playbooks(whois_container)
    [run] = whois_container.playbooks
    assert run.status == "failed"
    assert "Refused: this example always fails" in run.get_exceptions()[-1]["message"]


def test_soarsdk_finds_containers_by_hash_and_by_playbook(soarsdk, whois_container) -> None:
    soarsdk.run_playbooks(whois_container, Playbook(name="examples/my_playbook"))
    [found] = soarsdk.get_containers(params={"_filter_id": whois_container.id})
    assert found.name == "from soarsdk"
    playbook = Playbook(name="my_playbook")
    soarsdk.get_playbook_id_from_name(playbook)
    [latest] = soarsdk.find_containers_from_playbook(playbook)
    assert latest.id == whois_container.id
    assert soarsdk.get_enriched_containers({"_filter_id": whois_container.id}) == [None]


def test_soarsdk_writes_on_a_container_and_changes_it(soarsdk) -> None:
    artifacts = [Artifact(name="ioc", label="event", cef={"fileHash": "x"}), Artifact(name="other")]
    container = Container(name="with artifacts", label="events", artifacts=artifacts)
    soarsdk.create_container(container)
    assert sorted(container.artifact_names) == ["ioc", "other"]
    container.name, container.severity, container.status = "changed", "high", "closed"
    container.custom_fields = {"ticket": "T-1"}
    soarsdk.modify_container_values(container)
    soarsdk.add_comment(container, "looks benign")
    soarsdk.create_note(container, Note(title="summary", content="all clear"))
    [found] = soarsdk.get_containers(params={"_filter_id": container.id})
    assert (found.name, found.severity, found.status) == ("changed", "high", "closed")
    assert found.custom_fields == {"ticket": "T-1"}
    assert found.close_time
    soarsdk.update_container_values(container)
    assert container.comments == ["looks benign"]
    assert [(note.title, note.content, note.format) for note in container.notes] == [
        ("summary", "all clear", "markdown")
    ]


async def test_splunk_soar_mcp_writes_on_a_container_and_changes_it(call, system) -> None:
    made = system.post("/rest/container", {"name": "worked on", "label": "events"})["id"]
    await call("soar_update_container", container_id=made, status="open", owner="admin", name="n")
    assert "admin" in await call("soar_get_container", container_id=made)
    await call("soar_update_container", container_id=made, owner="")
    assert system.get(f"/rest/container/{made}")["owner"] is None
    await call("soar_add_comment", container_id=made, comment="looks benign")
    assert "looks benign" in await call("soar_list_comments", container_id=made)
    await call("soar_add_note", container_id=made, title="summary", content="all clear")
    assert "all clear" in await call("soar_list_notes", container_id=made)


async def test_splunk_soar_mcp_keeps_custom_lists(call) -> None:
    name = f"blocked {uuid4().hex}"
    await call("soar_create_custom_list", name=name, rows=[["192.0.2.1", "a"], ["192.0.2.2", "b"]])
    assert name in await call("soar_list_custom_lists", query=name.upper())
    await call("soar_append_to_custom_list", list_ref=name, row=["192.0.2.3", "c"])
    await call("soar_update_custom_list_row", list_ref=name, row_index=0, row=["192.0.2.9", "A"])
    rows = json.loads(await call("soar_get_custom_list", list_ref=name, as_json=True))
    assert rows == [["192.0.2.9", "A"], ["192.0.2.2", "b"], ["192.0.2.3", "c"]]
    await call("soar_replace_custom_list", list_ref=name, rows=[])
    assert "is empty" in await call("soar_get_custom_list", list_ref=name)
    assert "deleted" in await call("soar_delete_custom_list", list_ref=name, confirm_name=name)


async def test_splunk_soar_mcp_makes_a_container_and_runs_a_playbook_on_it(call, system) -> None:
    made = await call("soar_create_container", name="from mcp", label="events")
    container_id = json.loads(made.partition(": ")[2])["id"]
    added = await call(
        "soar_add_artifact",
        container_id=container_id,
        name="ioc",
        cef={"destinationDnsDomain": "example.com"},
    )
    assert json.loads(added.partition(": ")[2])["success"] is True
    assert "ioc" in await call("soar_list_artifacts", container_id=container_id)
    started = await call("soar_run_playbook", playbook_ref="my_playbook", container_id=container_id)
    run_id = int(json.loads(started.partition("\n")[2])["playbook_run_id"])
    system.ended(run_id)
    run = json.loads(await call("soar_get_playbook_run", run_id=run_id))
    assert run["status"] == "success"
    assert str(run_id) in await call(
        "soar_list_playbook_runs",
        playbook_ref="MY_PLAYBOOK",
        container_id=container_id,
        status="Success",
    )
    listed = await call("soar_list_action_runs", playbook_run_id=run_id, action="WHOIS")
    assert "whois domain" in listed
    [action] = json.loads(await call("soar_list_action_runs", playbook_run_id=run_id, as_json=True))
    detail = json.loads(await call("soar_get_action_run", run_id=action["id"]))
    assert detail["app_runs"][0]["message"] == "1 actions succeeded"
    assert "has no log entries (status: success)" in await call(
        "soar_get_playbook_run_log", run_id=run_id
    )


async def test_splunk_soar_mcp_reads_the_log_of_a_run_and_cancels_another(call, system) -> None:
    failed = system.ended(system.start("fails"))
    log = await call("soar_get_playbook_run_log", run_id=failed["id"], contains="REFUSED")
    assert "this example always fails" in log
    waiting = system.start("wait", inputs={"seconds": 300})
    system.executing(waiting)
    cancelled = json.loads(
        await call("soar_rest_post", path=f"playbook_run/{waiting}", payload={"cancel": True})
    )
    assert cancelled["cancelled"] is True
    assert system.ended(waiting)["status"] == "failed"


async def test_splunk_soar_mcp_finds_its_way_around(call) -> None:
    assert "examples" in await call("soar_list_repos")
    assert "my_playbook" in await call("soar_list_playbooks", label="events")
    assert "No playbooks matched" in await call("soar_list_playbooks", active_only=True)
    assert "my_playbook" in await call("soar_get_playbook", playbook_ref="my_play")
    assert "sourceAddress" in await call("soar_list_cef_fields", query="ADDRESS")
    assert "closed" in await call("soar_list_container_statuses")
    assert "high" in await call("soar_list_severities")
    assert "0.1.0" in await call("soar_system_info")
    assert "no comments" in await call("soar_list_comments", container_id=42)
    assert "no notes" in await call("soar_list_notes", container_id=42)
    containers = await call("soar_list_containers", label="events", owner="nobody")
    assert "No containers matched" in containers
