"""Prefect's events as a hint: what people do in its UI shows here before the next poll or sweep."""

from __future__ import annotations

from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

from adapters.hints import Hints
from adapters.prefect.reconcile import Reconciler

SCHEDULED = "prefect.flow-run.Scheduled"
STOPPING = tuple(f"prefect.flow-run.{name}" for name in ("Cancelling", "Cancelled", "Suspended"))
OWN_TAG = "prefect.tag.playbook_run:"


class Events:
    """Listens to Prefect. Nothing depends on it: whatever is missed, a poll or a sweep finds."""

    def __init__(self, *, hints: Hints, reconciler: Reconciler) -> None:
        self.hints = hints
        self.reconciler = reconciler

    async def run(self) -> None:
        """Run until cancelled. A broken connection is the caller's to report."""
        wanted = EventFilter(event=EventNameFilter(name=[SCHEDULED, *STOPPING]))
        async with get_events_subscriber(filter=wanted) as subscriber:
            async for event in subscriber:
                if event.event in STOPPING:
                    self.reconciler.hurry()
                elif not _is_own(event):
                    self.hints.work()


def _is_own(event: Event) -> bool:
    """Whether the dispatcher made the flow run, and has told the workers already."""
    return any(resource.id.startswith(OWN_TAG) for resource in event.related)
