"""Prefect's events as a hint: what people do in its UI shows here before the next poll or sweep."""

from __future__ import annotations

from uuid import UUID

from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from websockets.exceptions import WebSocketException

from adapters.hints import Hints
from adapters.prefect.outage import PrefectAway
from adapters.prefect.reconcile import Reconciler

FLOW_RUN = "prefect.flow-run."
SCHEDULED = f"{FLOW_RUN}Scheduled"
STOPPING = tuple(f"{FLOW_RUN}{name}" for name in ("Cancelling", "Cancelled", "Suspended"))
UNHEARD = tuple(f"{FLOW_RUN}{name}" for name in ("Pending", "Late", "heartbeat"))
"""What each flow run goes through, and what says nothing new."""
OWN_TAG = "prefect.tag.playbook_run:"
ENDS = frozenset(state.value for state in TERMINAL_STATES)


class Events:
    """Listens to Prefect. Nothing depends on it: whatever is missed, a poll or a sweep finds."""

    def __init__(self, *, hints: Hints, reconciler: Reconciler) -> None:
        self.hints = hints
        self.reconciler = reconciler

    async def run(self) -> None:
        """Run until cancelled. A broken connection is the caller's to report."""
        wanted = EventFilter(event=EventNameFilter(prefix=[FLOW_RUN], exclude_name=[*UNHEARD]))
        try:
            async with get_events_subscriber(filter=wanted) as subscriber:
                async for event in subscriber:
                    self.hear(event)
        except (OSError, WebSocketException) as error:
            raise PrefectAway(str(error) or type(error).__name__) from error

    def hear(self, event: Event) -> None:
        """Pass on what an event says to whom it may concern."""
        if _was_over(event):
            self.reconciler.changed(UUID(event.resource.id.removeprefix(FLOW_RUN)))
        if event.event in STOPPING:
            self.reconciler.hurry()
        elif event.event == SCHEDULED and not _is_own(event):
            self.hints.work()


def _is_own(event: Event) -> bool:
    """Whether the dispatcher made the flow run, and has told the workers already."""
    return any(resource.id.startswith(OWN_TAG) for resource in event.related)


def _was_over(event: Event) -> bool:
    """Whether the flow run had ended before."""
    return (event.payload.get("initial_state") or {}).get("type") in ENDS
