"""What is made of Prefect's events, whoever brought them about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.events import Event, RelatedResource, Resource

from prefect_phantom.adapters.prefect.runs import events
from prefect_phantom.adapters.prefect.runs.events import Events

FLOW_RUN, QUEUE, DEPLOYMENT = (UUID(int=number) for number in (1, 2, 3))


class Told:
    """Stands for reconciler, hints and watch: keeps what it was told."""

    def __init__(self, *, limited: bool = False) -> None:
        self.limited = limited
        self.what: list[Any] = []

    def is_limited(self, queue_id: UUID) -> bool:
        return self.limited and queue_id == QUEUE

    def changed(self, flow_run_id: UUID) -> None:
        self.what.append(("changed", flow_run_id))

    def deployment_changed(self, deployment_id: UUID) -> None:
        self.what.append(("deployment", deployment_id))

    def missed(self) -> None:
        self.what.append("missed")

    def hurry(self) -> None:
        self.what.append("hurry")

    def work(self) -> None:
        self.what.append("work")


def event(name: str, resource: str, *, before: str = "", related: str = "") -> Event:
    return Event(
        occurred=datetime.now(UTC),
        event=f"prefect.{name}",
        resource=Resource({"prefect.resource.id": f"prefect.{resource}"}),
        related=[
            RelatedResource(
                {"prefect.resource.id": f"prefect.{each}", "prefect.resource.role": "x"}
            )
            for each in [related]
            if each
        ],
        payload={"initial_state": {"type": before} if before else None},
        id=uuid4(),
    )


RUN, QUEUED = f"flow-run.{FLOW_RUN}", f"work-queue.{QUEUE}"
OWN = "tag.playbook_run:7"
CHANGED = ("changed", FLOW_RUN)


@pytest.mark.parametrize(
    ("heard", "reconciler", "hints", "watch"),
    [
        (event("flow-run.Completed", RUN, before="RUNNING"), [], [], []),
        (event("flow-run.Failed", RUN, before="COMPLETED"), [CHANGED], [], []),
        (event("flow-run.Running", RUN, before="CRASHED"), [CHANGED], [], []),
        (event("flow-run.AwaitingRetry", RUN, before="FAILED"), [CHANGED], [], []),
        (event("flow-run.Cancelling", RUN, before="RUNNING"), ["hurry"], [], []),
        (event("flow-run.Cancelled", RUN, before="COMPLETED"), [CHANGED, "hurry"], [], []),
        (event("flow-run.Scheduled", RUN), [], ["work"], []),
        (event("flow-run.Scheduled", RUN, related=OWN), [], [], []),
        (event("work-pool.paused", "work-pool.x"), [], [], ["hurry"]),
        (event("work-pool.updated", "work-pool.x"), [], [], ["hurry"]),
        (event("work-queue.not-ready", QUEUED), [], [], ["hurry"]),
        (
            event("deployment.updated", f"deployment.{DEPLOYMENT}"),
            [],
            [],
            [("deployment", DEPLOYMENT)],
        ),
    ],
    ids=lambda value: value.event if isinstance(value, Event) else None,
)
def test_who_is_told_of_what(heard, reconciler, hints, watch):
    told = [Told(), Told(), Told()]
    Events(reconciler=told[0], hints=told[1], watch=told[2]).hear(heard)
    assert [each.what for each in told] == [reconciler, hints, watch]


async def test_who_was_not_listening_says_that_something_may_be_missed(monkeypatch):
    @asynccontextmanager
    async def subscriber(**_: object) -> AsyncIterator[AsyncIterator[Event]]:
        async def none() -> AsyncIterator[Event]:
            return
            yield

        yield none()

    monkeypatch.setattr(events, "get_events_subscriber", subscriber)
    reconciler = Told()
    listening = Events(reconciler=reconciler, hints=Told(), watch=Told())
    for _ in range(2):
        await listening.run()
    assert reconciler.what == ["missed", "missed"]


@pytest.mark.parametrize("limited", [True, False])
def test_the_end_of_a_run_makes_room_in_a_queue_with_a_limit(limited):
    watch = Told(limited=limited)
    heard = event("flow-run.Completed", RUN, before="RUNNING", related=QUEUED)
    Events(reconciler=Told(), hints=Told(), watch=watch).hear(heard)
    assert watch.what == (["hurry"] if limited else [])
