"""Python client of the REST contract, for programs that start playbooks and wait for them.

::

    with Phantom("https://soar.example", token=token) as phantom:
        playbook_run = phantom.wait(phantom.run("local/triage", 42, scope="new"))
        for action in playbook_run.results:
            print(action.action, action.status)
        for container in phantom.iterate(Container, label="events", status__in=["new", "open"]):
            print(container.id, container.name)

`AsyncPhantom` has the same methods for ``async`` programs. Both also talk to a Splunk Phantom.
"""

from __future__ import annotations

from prefect_phantom.client.asynchronous import AsyncPhantom
from prefect_phantom.client.errors import (
    PhantomClientError,
    PhantomConnectionError,
    PhantomRequestError,
)
from prefect_phantom.client.events import ActionEnded, ActionStarted, Event, LogWritten, RunChanged
from prefect_phantom.client.health import Health
from prefect_phantom.client.models import (
    ActionRun,
    AppRun,
    Artifact,
    Asset,
    Container,
    LogLine,
    Message,
    Note,
    Playbook,
    PlaybookRun,
    Scope,
)
from prefect_phantom.client.synchronous import Phantom
from prefect_phantom.one_name import require

__all__ = [
    "ActionEnded",
    "ActionRun",
    "ActionStarted",
    "AppRun",
    "Artifact",
    "Asset",
    "AsyncPhantom",
    "Container",
    "Event",
    "Health",
    "LogLine",
    "LogWritten",
    "Message",
    "Note",
    "Phantom",
    "PhantomClientError",
    "PhantomConnectionError",
    "PhantomRequestError",
    "Playbook",
    "PlaybookRun",
    "RunChanged",
    "Scope",
]

require(__name__)
