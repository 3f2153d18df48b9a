"""Strangers take turns in the event loop, one in each of its passes."""

from __future__ import annotations

import asyncio

import pytest

from adapters.rest.loop_turns import LoopTurns

pytestmark = pytest.mark.anyio


class Passes:
    """Counts the passes of the loop."""

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        self.count += 1
        self._loop.call_soon(self._next)


async def test_each_turn_is_in_a_pass_of_its_own():
    turns, passes = LoopTurns(), Passes()
    seen = []

    async def ask() -> None:
        await turns.wait("address")
        seen.append(passes.count)

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(ask())
    assert sorted(set(seen)) == seen


async def test_addresses_take_turns():
    turns, order = LoopTurns(), []

    async def ask(key: str) -> None:
        await turns.wait(key)
        order.append(key)

    async with asyncio.TaskGroup() as group:
        for key in "aaaaabbc":
            group.create_task(ask(key))
    assert order == list("aabcabaa")


async def test_who_asks_alone_does_not_wait():
    turns = LoopTurns()
    passes = Passes()
    await turns.wait("address")
    assert passes.count == 0


async def test_what_is_no_longer_wanted_takes_no_turn():
    turns, order = LoopTurns(), []
    turns.call("a", lambda: order.append("first") or True)
    for _ in range(100):
        turns.call("a", lambda: False)
    turns.call("a", lambda: order.append("last") or True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == ["first", "last"]


async def test_who_has_given_up_takes_no_turn():
    turns, order = LoopTurns(), []

    async def ask(name: str) -> None:
        await turns.wait("a")
        order.append(name)

    tasks = [asyncio.create_task(ask(name)) for name in ("first", "second", "third")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert order == ["first", "third"]
