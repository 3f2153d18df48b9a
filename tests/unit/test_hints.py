"""Hints: who hears which, and that nobody waits for anybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from prefect_phantom.adapters.between.hints import BACKLOG, Hints

WORK = {"work": True}
POOL = "phantom"


@pytest.fixture
def hints() -> Hints:
    return Hints(lambda _: None)


async def _listening(
    hints: Hints, every: float = 60, worker: str = "one", pool: str | None = POOL
) -> AsyncIterator[dict[str, Any]]:
    listener = hints.listen(worker, every, pool)
    assert await anext(listener) == WORK
    return listener


async def test_one_who_begins_to_listen_is_told_to_look_for_work(hints: Hints) -> None:
    await _listening(hints)


async def test_an_offer_goes_to_one_after_the_other_and_the_others_hear_of_work(
    hints: Hints,
) -> None:
    listeners = [await _listening(hints) for _ in range(3)]
    heard: list[list[dict[str, Any]]] = [[] for _ in listeners]
    for number in range(3):
        hints.offer({"id": number}, POOL)
        for place, listener in enumerate(listeners):
            heard[place].append(await anext(listener))
    for place in range(3):
        assert heard[place].count(WORK) == 2
    offered = [hint["offer"]["id"] for each in heard for hint in each if "offer" in hint]
    assert sorted(offered) == [0, 1, 2]


async def test_everyone_hears_that_a_run_is_to_be_stopped(hints: Hints) -> None:
    listeners = [await _listening(hints) for _ in range(2)]
    flow_run_id = uuid4()
    hints.stop(flow_run_id)
    for listener in listeners:
        assert await anext(listener) == {"stop": str(flow_run_id)}


async def test_silence_is_broken_by_an_empty_hint(hints: Hints) -> None:
    assert await anext(await _listening(hints, every=0.01)) == {}


async def test_hints_without_listeners_are_lost_and_harm_nobody(hints: Hints) -> None:
    hints.work()
    hints.offer({"id": 1}, POOL)
    hints.stop(uuid4())
    listener = await _listening(hints)
    hints.work()
    assert await anext(listener) == WORK


async def test_one_who_does_not_keep_up_holds_nobody_up(hints: Hints) -> None:
    await _listening(hints)
    for number in range(2 * BACKLOG):
        hints.offer({"id": number}, POOL)


async def test_one_who_went_away_is_offered_nothing(hints: Hints) -> None:
    first, second = await _listening(hints), await _listening(hints)
    await first.aclose()
    for number in range(2):
        hints.offer({"id": number}, POOL)
        assert await anext(second) == {"offer": {"id": number}}


async def test_an_offer_goes_to_none_that_lacks_its_code(hints: Hints) -> None:
    old = await _listening(hints, worker="old")
    new = await _listening(hints, worker="new")
    for number in range(3):
        hints.offer({"id": number}, POOL, {"old"})
        assert await anext(new) == {"offer": {"id": number}}
        assert await anext(old) == WORK
    hints.offer({"id": 3}, POOL, {"old", "new"})
    assert [await anext(old), await anext(new)] == [WORK, WORK]


async def test_a_run_is_offered_to_a_worker_of_its_own_work_pool_alone(hints: Hints) -> None:
    other = await _listening(hints, pool="other")
    particular = await _listening(hints, pool=None)
    ours = await _listening(hints)
    for number in range(3):
        hints.offer({"id": number}, POOL)
        assert await anext(ours) == {"offer": {"id": number}}
        assert await anext(other) == await anext(particular) == WORK
    hints.offer({"id": 4}, None)
    assert await anext(ours) == WORK


async def test_offers_that_are_kept_are_dropped_by_everyone(hints: Hints) -> None:
    listeners = [await _listening(hints) for _ in range(2)]
    hints.drop()
    for listener in listeners:
        # A worker of an earlier version asks Prefect, at least.
        assert await anext(listener) == {"work": True, "drop": True}


async def test_a_drop_is_heard_by_one_who_is_far_behind_and_no_offer_before_it(
    hints: Hints,
) -> None:
    listener = await _listening(hints)
    flow_run_id = uuid4()
    hints.offer({"id": 0}, POOL)
    hints.stop(flow_run_id)
    for number in range(2 * BACKLOG):
        hints.offer({"id": number}, POOL)
    hints.drop()
    hints.offer({"id": 1}, POOL)
    heard = [await anext(listener) for _ in range(3)]
    assert heard == [WORK | {"drop": True}, {"stop": str(flow_run_id)}, {"offer": {"id": 1}}]


async def test_who_listens_hears_the_end_when_the_gateway_stops(hints: Hints) -> None:
    stopping = asyncio.Event()
    listener = hints.listen("one", 60, POOL, stopping)
    assert await anext(listener) == WORK
    rest = asyncio.create_task(_all(listener))
    await asyncio.sleep(0)
    stopping.set()
    async with asyncio.timeout(30):
        assert await rest == [{}]
    assert hints._listeners == []


async def _all(listener: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [hint async for hint in listener]
