"""Python client of the REST contract, for programs that start playbooks and wait for them.

::

    with Phantom("https://soar.example", token=token) as phantom:
        playbook_run = phantom.wait(phantom.run("local/triage", 42, scope="new"))
        for action in playbook_run.results:
            print(action.action, action.status)

`AsyncPhantom` has the same methods for ``async`` programs. Both also talk to a Splunk Phantom.
"""

from __future__ import annotations

from adapters.client.asynchronous import AsyncPhantom
from adapters.client.errors import (
    PhantomClientError,
    PhantomConnectionError,
    PhantomRequestError,
)
from adapters.client.health import Health
from adapters.client.models import (
    ActionRun,
    AppRun,
    Container,
    Message,
    Playbook,
    PlaybookRun,
    Scope,
)
from adapters.client.synchronous import Phantom

__all__ = [
    "ActionRun",
    "AppRun",
    "AsyncPhantom",
    "Container",
    "Health",
    "Message",
    "Phantom",
    "PhantomClientError",
    "PhantomConnectionError",
    "PhantomRequestError",
    "Playbook",
    "PlaybookRun",
    "Scope",
]
