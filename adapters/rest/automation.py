"""What a request that brings artifacts sets going: runs that start by themselves, and events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.requests import Request

from adapters import spans
from adapters.announcement import Announcement
from adapters.errors import PhantomError
from adapters.rest.address import address_of
from adapters.rest.gateway import Gateway, caller
from adapters.rest.run_request import queue_delay
from adapters.store.artifacts import DEFAULT_LABEL
from adapters.store.automation import Automation
from adapters.store.columns import DEFAULT_SEVERITY
from adapters.store.new_artifacts import Brought, NewArtifact


@contextmanager
def automating(request: Request) -> Iterator[Automation]:
    """On whose behalf the caller's artifacts start runs, while they are brought."""
    address = address_of(request.scope)
    with spans.accepting() as traceparent:
        yield Automation(
            owner_id=caller(request).id,
            ip_address=None if address is None else str(address),
            queue_delay=queue_delay("automation", Gateway.of(request).settings),
            request_id=request.scope.get("request_id"),
            traceparent=traceparent,
        )


def announce(
    request: Request,
    container_id: int,
    given: Sequence[NewArtifact | PhantomError],
    brought: Brought,
) -> None:
    """After the commit: have the runs dispatched, and tell Prefect of the artifacts."""
    gateway = Gateway.of(request)
    if brought.run_ids:
        gateway.dispatch.notify()
    for announcement in announcements(container_id, given, brought):
        gateway.announce(announcement)


def announcements(
    container_id: int, given: Sequence[NewArtifact | PhantomError], brought: Brought
) -> Iterator[Announcement]:
    """One for each artifact that was made."""
    for new, outcome in zip(given, brought.outcomes, strict=True):
        if isinstance(new, NewArtifact) and isinstance(outcome, int):
            yield Announcement(
                container_id=container_id,
                container_label=brought.container_label,
                artifact_id=outcome,
                label=new.fields.label or DEFAULT_LABEL,
                severity=new.fields.severity or DEFAULT_SEVERITY,
            )
