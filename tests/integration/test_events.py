"""Events of containers and artifacts in Prefect, and people's own automations that hear them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.events import Event
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger

from tests.system import RUN_SECONDS, System

LABEL = "{{ 7 * 7 }} \N{SNOWMAN}"
"""What a caller may call a container; Prefect must not take it for a template."""


@pytest.fixture
async def automation(prefect: PrefectClient) -> AsyncIterator[str]:
    """An automation that starts a playbook on each container of a severity of its own."""
    deployment = await prefect.read_deployment_by_name("quick/local")
    severity = f"severity-{uuid4().hex[:8]}"
    trigger = EventTrigger(
        expect={"phantom.container.created"}, match={"phantom.severity": severity}
    )
    action = RunDeployment(
        source="selected",
        deployment_id=deployment.id,
        parameters={"container_id": _as_number("event.resource['phantom.container.id']")},
    )
    made = await prefect.create_automation(
        AutomationCore(name=f"on {severity}", trigger=trigger, actions=[action])
    )
    yield severity
    await prefect.delete_automation(made)


def _as_number(expression: str) -> dict[str, object]:
    template = {"__prefect_kind": "jinja", "template": f"{{{{ {expression} }}}}"}
    return {"__prefect_kind": "json", "value": template}


async def event_of(prefect: PrefectClient, name: str, resource_id: str) -> Event:
    """The one event of this name about a resource, when Prefect has stored it."""
    body = {"filter": {"event": {"name": [name]}, "resource": {"id": [resource_id]}}}
    with anyio.fail_after(RUN_SECONDS):
        while True:
            answer = await prefect._client.post("/events/filter", json=body)
            answer.raise_for_status()
            if found := answer.json()["events"]:
                (event,) = found
                return Event.model_validate(event)
            await anyio.sleep(0.2)


async def test_an_automation_of_a_user_starts_a_playbook_on_a_new_container(
    system: System, prefect: PrefectClient, automation: str
) -> None:
    runs: list[dict] = []
    containers: list[int] = []
    new = {"name": "n", "label": LABEL, "severity": automation, "artifacts": [{"label": "ioc"}]}
    with anyio.fail_after(RUN_SECONDS):
        while not runs:
            # The gateway looks for automations every 10 s: what comes before is told to nobody.
            made = system.post("/rest/container", new)
            containers.append(made["id"])
            await anyio.sleep(2)
            for container in containers:
                runs += system.get(f"/rest/container/{container}/playbook_runs")["data"]
    assert {system.ended(run["id"])["status"] for run in runs} == {"success"}
    container = runs[0]["container"]

    event = await event_of(prefect, "phantom.container.created", f"phantom.container.{container}")
    assert dict(event.resource) == {
        "prefect.resource.id": f"phantom.container.{container}",
        "phantom.container.id": str(container),
        "phantom.label": LABEL,
        "phantom.severity": automation,
    }
    assert (event.payload, event.related) == ({}, [])
    artifact = system.get(f"/rest/container/{container}/artifacts")["data"][0]["id"]
    event = await event_of(prefect, "phantom.artifact.created", f"phantom.artifact.{artifact}")
    assert dict(event.resource) == {
        "prefect.resource.id": f"phantom.artifact.{artifact}",
        "phantom.artifact.id": str(artifact),
        "phantom.container.id": str(container),
        "phantom.label": "ioc",
        "phantom.severity": "medium",
    }
    (related,) = event.related
    assert (related.id, related.role) == (f"phantom.container.{container}", "container")
    assert related["phantom.label"] == LABEL
