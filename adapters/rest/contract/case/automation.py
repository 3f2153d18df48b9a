"""What a request that brings artifacts sets going: runs that start by themselves, and events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.requests import Request

from prefect_phantom.adapters.between import spans
from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.errors import PhantomError
from prefect_phantom.adapters.rest.contract.runs.run_request import queue_delay
from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.store.case.artifacts import DEFAULT_LABEL
from prefect_phantom.adapters.store.case.new_artifacts import Brought, NewArtifact
from prefect_phantom.adapters.store.starts.automation import Automation
from prefect_phantom.adapters.store.tables.columns import DEFAULT_SEVERITY


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
