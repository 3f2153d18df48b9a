"""Slots of limits: who waits, what is handed on, and what is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

import prefect_phantom.flows.inside.slots.slot
from prefect_phantom.flows.asset import AssetRecord
from prefect_phantom.flows.failure import PrefectUnavailable
from prefect_phantom.flows.inside.slots.slot import slot
from prefect_phantom.flows.inside.slots.slot_leases import SlotLeases


class Leases(SlotLeases):
    """Gives as many as there are, as Prefect would; counts what it is asked."""

    def __init__(self, there_are: int) -> None:
        super().__init__()
        self.free = there_are
        self.taken: set[UUID] = set()
        self.asked = 0
        self.lock = threading.Lock()
        self.away = False

    def take(self, limit: str, note: object) -> UUID | None:
        assert (limit, note) == ("l", None)
        with self.lock:
            self.asked += 1
            if self.away:
                raise PrefectUnavailable("Prefect is away")
            if not self.free:
                return None
            self.free -= 1
            lease = uuid4()
            self.taken.add(lease)
            return lease

    def give_back(self, lease: UUID) -> None:
        with self.lock:
            self.taken.remove(lease)
            self.free += 1


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leases]:
    leases = Leases(2)
    monkeypatch.setattr(prefect_phantom.flows.inside.slots.slot, "LEASES", leases)
    monkeypatch.setattr(prefect_phantom.flows.inside.slots.slot, "_queues", {})
    yield leases
    assert leases.free == 2, "a slot was lost"


LIMITED = AssetRecord(id=1, name="a", app="A", limit="l")


class Work:
    """Counts who is at work."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds
        self.now = self.most = self.done = 0
        self.lock = threading.Lock()

    def __call__(self, number: int) -> None:
        with slot(LIMITED):
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(self.seconds)
            with self.lock:
                self.now -= 1
                self.done += 1
            if number == 7:
                raise ValueError("7 fails")


@pytest.mark.parametrize("asset", [None, AssetRecord(id=1, name="a", app="A")])
def test_without_a_limit_nothing_is_asked(leases: Leases, asset: AssetRecord | None) -> None:
    with slot(asset):
        pass
    assert leases.asked == 0


def test_slots_are_handed_on_within_a_run(leases: Leases) -> None:
    work = Work()
    with ThreadPoolExecutor(20) as threads:
        outcomes = [threads.submit(work, number) for number in range(50)]
    assert [each for each in outcomes if each.exception()] == [outcomes[7]]
    assert (work.most, work.done) == (2, 50)
    assert leases.asked < 15


def test_a_slot_is_given_back_after_a_while_although_others_wait(
    leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_phantom.flows.inside.slots.slot, "HOLD_SECONDS", 0.0)
    monkeypatch.setattr(prefect_phantom.flows.inside.slots.slot, "PAUSES", (0.001, 0.002))
    given_back = 0

    def give_back(lease: UUID) -> None:
        nonlocal given_back
        given_back += 1
        Leases.give_back(leases, lease)

    monkeypatch.setattr(leases, "give_back", give_back)
    work = Work(0.001)
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(8, 28)))
    assert (work.most, work.done, given_back) == (2, 20, 20)


def test_prefect_that_is_away_for_a_moment_is_waited_for(
    leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases.away = True
    threading.Timer(0.2, setattr, (leases, "away", False)).start()
    work = Work()
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(work, range(5)))
    assert work.done == 5
    leases.away = True
    monkeypatch.setattr(prefect_phantom.flows.inside.slots.slot, "PATIENCE_SECONDS", 0.1)
    with ThreadPoolExecutor(5) as threads:
        outcomes = [threads.submit(work, 1) for _ in range(5)]
    assert {type(each.exception()) for each in outcomes} == {PrefectUnavailable}
