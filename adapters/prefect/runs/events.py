"""Prefect's events as a hint: what people do in its UI shows here before the next poll or sweep."""

from __future__ import annotations

from uuid import UUID

from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from websockets.exceptions import WebSocketException

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.prefect.outage import PrefectAway
from prefect_phantom.adapters.prefect.queues.work_pool_watch import WorkPoolWatch
from prefect_phantom.adapters.prefect.runs.reconcile import Reconciler

FLOW_RUN = "prefect.flow-run."
SCHEDULED = f"{FLOW_RUN}Scheduled"
STOPPING = tuple(f"{FLOW_RUN}{name}" for name in ("Cancelling", "Cancelled", "Suspended"))
UNHEARD = tuple(f"{FLOW_RUN}{name}" for name in ("Pending", "Late", "heartbeat"))
"""What each flow run goes through, and what says nothing new."""
WORK_QUEUE = "prefect.work-queue."
RULES = ("prefect.work-pool.", WORK_QUEUE)
"""What happens to work pools and queues: they are paused, limited, made, deleted."""
DEPLOYMENT = "prefect.deployment."
DEPLOYMENTS = tuple(f"{DEPLOYMENT}{name}" for name in ("created", "updated"))
"""What may put a playbook's runs into another work queue."""
OWN_TAG = "prefect.tag.playbook_run:"
ENDS = frozenset(state.value for state in TERMINAL_STATES)


class Events:
    """Listens to Prefect. Nothing depends on it: whatever is missed, a poll or a sweep finds.

    Nobody sweeps runs that have ended, so who looks after them is told that something was missed.
    """

    def __init__(self, *, hints: Hints, reconciler: Reconciler, watch: WorkPoolWatch) -> None:
        self.hints = hints
        self.reconciler = reconciler
        self.watch = watch

    async def run(self) -> None:
        """Run until cancelled. A broken connection is the caller's to report."""
        prefixes = [FLOW_RUN, *RULES, *DEPLOYMENTS]
        wanted = EventFilter(event=EventNameFilter(prefix=prefixes, exclude_name=[*UNHEARD]))
        try:
            async with get_events_subscriber(filter=wanted) as subscriber:
                self.watch.listening = True
                self.reconciler.missed()
                async for event in subscriber:
                    self.hear(event)
        except (OSError, WebSocketException) as error:
            raise PrefectAway(str(error) or type(error).__name__) from error
        finally:
            self.watch.listening = False

    def hear(self, event: Event) -> None:
        """Pass on what an event says to whom it may concern."""
        if event.event.startswith(RULES) or self._may_make_room(event):
            self.watch.hurry()
        elif event.event in DEPLOYMENTS:
            self.watch.deployment_changed(UUID(event.resource.id.removeprefix(DEPLOYMENT)))
        if _was_over(event):
            self.reconciler.changed(UUID(event.resource.id.removeprefix(FLOW_RUN)))
        if event.event in STOPPING:
            self.reconciler.hurry()
        elif event.event == SCHEDULED and not _is_own(event):
            self.hints.work()

    def _may_make_room(self, event: Event) -> bool:
        """Whether something has happened to a flow run of a work queue with a limit."""
        return event.event.startswith(FLOW_RUN) and any(
            resource.id.startswith(WORK_QUEUE)
            and self.watch.is_limited(UUID(resource.id.removeprefix(WORK_QUEUE)))
            for resource in event.related
        )


def _is_own(event: Event) -> bool:
    """Whether the dispatcher made the flow run, and has told the workers already."""
    return any(resource.id.startswith(OWN_TAG) for resource in event.related)


def _was_over(event: Event) -> bool:
    """Whether the flow run had ended before."""
    return (event.payload.get("initial_state") or {}).get("type") in ENDS
