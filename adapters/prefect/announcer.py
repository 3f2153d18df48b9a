"""Events in Prefect for what callers bring, so that people's own automations can react to it.

They are sent after the commit, by a task of their own, and are lost when Prefect is away for long
or the gateway dies: runs never depend on them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

from prefect.client.orchestration import PrefectClient
from prefect.events import Event, RelatedResource, Resource
from prefect.events.clients import get_events_client
from prefect.events.schemas.automations import (
    Automation,
    CompoundTrigger,
    EventTrigger,
    SequenceTrigger,
)

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.settings import Settings

CONTAINER_CREATED = "phantom.container.created"
ARTIFACT_CREATED = "phantom.artifact.created"
NAMES = (CONTAINER_CREATED, ARTIFACT_CREATED)
LOOK_SECONDS = 10.0
"""How often it is looked whether anybody listens."""
PAGE = 100
"""How many automations Prefect is asked for at once."""
MOST_WAITING = 10_000
"""Events that wait for Prefect; further ones are lost."""
LONGEST = 200
"""Characters of a label or a severity in an event."""
logger = logging.getLogger("prefect_phantom.events")


class Announcer:
    """Sends events while an enabled automation reacts to them, or always, as the setting says."""

    def __init__(self, *, client: PrefectClient, settings: Settings) -> None:
        self.client = client
        self.setting = settings.events
        self._listened = settings.events == "always"
        self._waiting: asyncio.Queue[Announcement] = asyncio.Queue(MOST_WAITING)
        self._lost = 0

    def tell(self, announcement: Announcement) -> None:
        """Have it sent, if anybody listens; never waits."""
        if not self._listened:
            return
        try:
            self._waiting.put_nowait(announcement)
        except asyncio.QueueFull:
            self._lost += 1

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        if self.setting == "never":
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send())
            if self.setting == "listened":
                tasks.create_task(self._look())

    async def _look(self) -> None:
        while True:
            self._listened = any_listens([each async for each in self._automations()])
            await asyncio.sleep(LOOK_SECONDS)

    async def _automations(self) -> AsyncIterator[Automation]:
        page: list[Automation] = []
        while len(page) % PAGE == 0:
            found = await self.client.read_automations(limit=PAGE, offset=len(page))
            for each in found:
                yield each
            if not found:
                return
            page += found

    async def _send(self) -> None:
        # No connection is opened before there is something to say.
        announcement = await self._waiting.get()
        async with get_events_client() as events:
            while True:
                await events.emit(event_of(announcement))
                if self._lost:
                    logger.warning("%s events were lost: Prefect took them too slowly", self._lost)
                    self._lost = 0
                announcement = await self._waiting.get()


def any_listens(automations: Iterable[Automation]) -> bool:
    """Whether an enabled automation may react to what is announced."""
    return any(
        fits(expected)
        for automation in automations
        if automation.enabled
        for trigger in _triggers(automation.trigger)
        for expected in (trigger.expect | trigger.after or {"*"})
    )


def _triggers(trigger: object) -> Iterable[EventTrigger]:
    if isinstance(trigger, CompoundTrigger | SequenceTrigger):
        for each in trigger.triggers:
            yield from _triggers(each)
    elif isinstance(trigger, EventTrigger):
        yield trigger


def fits(expected: str) -> bool:
    """Whether the name or pattern of an event, such as ``phantom.*``, is one of ours."""
    if expected.endswith("*"):
        return any(name.startswith(expected[:-1]) for name in NAMES)
    return expected in NAMES


def event_of(announcement: Announcement) -> Event:
    """The event; of what the caller sent it has label and severity alone, as texts."""
    container = {
        "prefect.resource.id": f"phantom.container.{announcement.container_id}",
        "phantom.container.id": str(announcement.container_id),
        "phantom.label": announcement.container_label[:LONGEST],
    }
    if announcement.artifact_id is None:
        severity = announcement.severity[:LONGEST]
        return Event(
            event=CONTAINER_CREATED, resource=Resource({**container, "phantom.severity": severity})
        )
    artifact = {
        "prefect.resource.id": f"phantom.artifact.{announcement.artifact_id}",
        "phantom.artifact.id": str(announcement.artifact_id),
        "phantom.container.id": str(announcement.container_id),
        "phantom.label": announcement.label[:LONGEST],
        "phantom.severity": announcement.severity[:LONGEST],
    }
    related = RelatedResource({**container, "prefect.resource.role": "container"})
    return Event(event=ARTIFACT_CREATED, resource=Resource(artifact), related=[related])
