"""Which events Prefect is told of, and when anybody listens."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import (
    Automation,
    CompoundTrigger,
    EventTrigger,
    Trigger,
)

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.prefect import announcer
from prefect_phantom.adapters.prefect.announcer import Announcer, any_listens, event_of
from prefect_phantom.adapters.settings import Settings

CONTAINER = Announcement(7, "events", None, "events", "high")


def automation(trigger: Trigger, *, enabled: bool = True) -> Automation:
    return Automation(id=uuid4(), name="a", trigger=trigger, actions=[DoNothing()], enabled=enabled)


def on(*expected: str, **fields: object) -> EventTrigger:
    return EventTrigger(expect=set(expected), **fields)


@pytest.mark.parametrize(
    "trigger",
    [
        on("phantom.container.created"),
        on("phantom.artifact.created"),
        on("phantom.*"),
        on("phantom.container.*"),
        on("*"),
        on(),
        on("prefect.flow-run.*", "phantom.*"),
        on("prefect.flow-run.Completed", after={"phantom.container.created"}),
        CompoundTrigger(triggers=[on("prefect.*"), on("phantom.*")], require="all", within=60),
    ],
    ids=lambda trigger: type(trigger).__name__,
)
def test_who_may_hear_it_listens(trigger: Trigger) -> None:
    assert any_listens([automation(on("other")), automation(trigger)])
    assert not any_listens([automation(trigger, enabled=False)])


@pytest.mark.parametrize(
    "trigger",
    [
        on("prefect.flow-run.*"),
        on("phantom"),
        on("phantom.container"),
        on("phantom.container.deleted"),
        CompoundTrigger(triggers=[on("prefect.*")], require="all", within=60),
    ],
    ids=lambda trigger: type(trigger).__name__,
)
def test_who_hears_other_things_does_not_listen(trigger: Trigger) -> None:
    assert not any_listens([automation(trigger)])
    assert not any_listens([])


def test_an_event_has_texts_of_bounded_length_alone() -> None:
    event = event_of(Announcement(7, "l" * 1000, 9, "{{ x }}", "s" * 1000))
    assert event.payload == {}
    assert max(len(value) for value in event.resource.root.values()) == announcer.LONGEST
    assert event.resource["phantom.label"] == "{{ x }}"
    assert len(event.related[0]["phantom.label"]) == announcer.LONGEST


def announcer_of(setting: str) -> Announcer:
    """One whose Prefect is never asked for anything."""
    return Announcer(
        client=PrefectClient("http://127.0.0.1:9/api"), settings=Settings(events=setting)
    )


@pytest.mark.parametrize(("setting", "waiting"), [("listened", 0), ("never", 0), ("always", 1)])
def test_nothing_waits_while_nobody_listens(setting: str, waiting: int) -> None:
    told = announcer_of(setting)
    told.tell(CONTAINER)
    assert told._waiting.qsize() == waiting


def test_what_prefect_does_not_take_is_lost_and_holds_nobody_up() -> None:
    told = announcer_of("always")
    for _ in range(announcer.MOST_WAITING + 3):
        told.tell(CONTAINER)
    assert (told._waiting.qsize(), told._lost) == (announcer.MOST_WAITING, 3)
