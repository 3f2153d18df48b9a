"""Places are given in turn: whoever asks most waits longest, and nobody else waits for that."""

from __future__ import annotations

import asyncio

import pytest

from prefect_phantom.adapters.between.fair_semaphore import FairSemaphore
from prefect_phantom.adapters.errors import TooMany


class Work:
    """Notes who has a place, and gives it back when it is told to."""

    def __init__(
        self,
        places: int,
        *,
        most_waiting: int = 100,
        seconds: float = 60,
        most_each: int | None = None,
    ) -> None:
        self.semaphore = FairSemaphore(
            places, most_waiting=most_waiting, seconds=seconds, most_each=most_each
        )
        self.order: list[str] = []
        self._ends: list[asyncio.Event] = []

    async def ask(self, key: str, among: str = "") -> asyncio.Task[None]:
        task = asyncio.create_task(self._hold(key, among))
        await settle()
        return task

    async def _hold(self, key: str, among: str) -> None:
        async with self.semaphore.place(key, among=among):
            self.order.append(key)
            end = asyncio.Event()
            self._ends.append(end)
            await end.wait()

    async def end(self, place: int = 0) -> None:
        """End the work that has begun first, or the one at this place after it."""
        self._ends.pop(place).set()
        await settle()

    async def end_all(self) -> None:
        while self._ends:
            await self.end()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_whoever_is_alone_may_hold_all_places():
    work = Work(3)
    for _ in range(4):
        await work.ask("ana")
    assert work.order == ["ana"] * 3
    await work.end_all()
    assert work.order == ["ana"] * 4


async def test_the_next_place_goes_to_whoever_holds_none():
    work = Work(2)
    for _ in range(20):
        await work.ask("hog")
    await work.ask("ana")
    await work.end()
    assert work.order == ["hog", "hog", "ana"]


async def test_where_one_may_not_hold_all_places_the_others_find_one_free():
    work = Work(3, most_each=2)
    for _ in range(4):
        await work.ask("hog")
    assert work.order == ["hog", "hog"]
    await work.ask("ana")
    assert work.order == ["hog", "hog", "ana"]
    await work.ask("bo")
    await work.end(2)  # ana's
    assert work.order == ["hog", "hog", "ana", "bo"]
    await work.end_all()
    assert work.order == ["hog", "hog", "ana", "bo", "hog", "hog"]
    assert work.semaphore._free == 3


async def test_those_who_have_many_keys_share_a_wider_turn():
    work = Work(2, most_waiting=4)
    hogs = [await work.ask(f"hog {number}", "a network") for number in range(7)]
    assert [each.done() for each in hogs] == [False] * 6 + [True]
    ana = await work.ask("ana", "another")
    assert not ana.done()
    assert hogs[2].done()  # its place in the queue is hers
    await work.end()
    assert work.order == ["hog 0", "hog 1", "ana"]
    bo = await work.ask("bo", "a network")
    assert not bo.done()  # one of them has gone on to a place
    await work.end(1)
    await work.end_all()
    assert work.order[3:] == ["hog 3", "hog 4", "hog 5", "bo"]
    assert work.semaphore._free == 2
    assert (work.semaphore._held, work.semaphore._held_among) == ({}, {})
    assert work.semaphore._waiting == {}
    for each in hogs:
        if each.exception() is not None:
            assert isinstance(each.exception(), TooMany)


async def test_those_who_wait_have_their_turns_one_after_the_other():
    work = Work(1)
    for key in ("hog", "hog", "hog", "ana", "bo", "ana"):
        await work.ask(key)
    await work.end_all()
    assert work.order == ["hog", "hog", "ana", "bo", "hog", "ana"]


async def test_when_too_many_wait_those_who_wait_with_most_are_refused():
    work = Work(1, most_waiting=3)
    hog = [await work.ask("hog") for _ in range(5)]
    with pytest.raises(TooMany, match="at once; try again in 60 s"):
        await hog[4]
    ana, bo = await work.ask("ana"), await work.ask("bo")
    for refused in (hog[3], hog[2]):
        with pytest.raises(TooMany):
            await refused
    with pytest.raises(TooMany):  # those who are left wait with one each
        await (await work.ask("cy"))
    await work.end_all()
    assert work.order == ["hog", "hog", "ana", "bo"]
    assert ana.done()
    assert bo.done()


async def test_nobody_waits_for_ever():
    work = Work(1, seconds=0)
    await work.ask("hog")
    with pytest.raises(TooMany):
        await (await work.ask("ana"))
    await work.end()
    await work.ask("bo")
    assert work.order == ["hog", "bo"]


async def test_whoever_goes_away_leaves_no_place_taken():
    work = Work(1)
    await work.ask("hog")
    ana, bo = await work.ask("ana"), await work.ask("bo")
    ana.cancel()
    await settle()
    work._ends.pop().set()
    await asyncio.sleep(0)
    bo.cancel()  # in the moment in which its turn has come
    await settle()
    await work.ask("cy")
    dan, eve = await work.ask("dan"), await work.ask("eve")
    dan.cancel()
    work._ends.pop().set()  # and in the moment after that
    await asyncio.gather(dan, return_exceptions=True)
    await settle()
    assert work.order == ["hog", "cy", "eve"]
    await work.end_all()
    assert eve.done()
    assert work.semaphore._free == 1
    assert (work.semaphore._held, work.semaphore._waiting) == ({}, {})


async def test_a_place_rests_until_it_was_held_for_no_more_than_its_share(monkeypatch):
    loop, now, later = asyncio.get_running_loop(), [100.0], []
    semaphore = FairSemaphore(1, most_waiting=1, seconds=60, share=0.25)
    monkeypatch.setattr(loop, "time", lambda: now[0])
    monkeypatch.setattr(loop, "call_later", lambda *call: later.append(call))
    async with semaphore.place("ana"):
        now[0] += 2
    assert semaphore._free == 0
    ((rest, give_back, key),) = later
    assert rest == 6
    give_back(key)
    assert semaphore._free == 1
    async with semaphore.place("ana"):
        pass
    assert semaphore._free == 1


async def test_a_place_comes_back_after_a_failure():
    semaphore = FairSemaphore(1, most_waiting=1, seconds=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="wrong"):
            async with semaphore.place("ana"):
                raise ValueError("wrong")
