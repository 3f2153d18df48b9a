"""Strangers take turns in the event loop, a few in each of its passes."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from adapters.rest.loop_turns import AT_ONCE, LoopTurns

pytestmark = pytest.mark.anyio

PASSES = 20


class Turns:
    """Turns that note who had one, and in which pass of the loop."""

    def __init__(self) -> None:
        self.turns = LoopTurns()
        self.order: list[str] = []
        self.passes: list[int] = []
        self._pass = 0

    def ask(self, *names: str) -> None:
        for name in names:
            self.turns.call(name, lambda name=name: self._have(name))

    def _have(self, name: str) -> bool:
        self.order.append(name)
        self.passes.append(self._pass)
        return True

    async def settle(self) -> None:
        """Let so many passes go by."""
        for _ in range(PASSES):
            self._pass += 1
            await asyncio.sleep(0)


async def test_few_have_their_turn_in_one_pass():
    strangers = Turns()
    strangers.ask(*"a" * 5 * AT_ONCE)
    await strangers.settle()
    assert list(Counter(strangers.passes).values()) == [AT_ONCE] * 5


async def test_addresses_take_turns():
    strangers = Turns()
    strangers.ask(*"-" * AT_ONCE, *"aaaabbc")
    await strangers.settle()
    assert "".join(strangers.order[AT_ONCE:]) == "abcabaa"


async def test_who_asks_alone_does_not_wait():
    strangers = Turns()
    strangers.ask("a")
    assert strangers.order == ["a"]


async def test_what_is_no_longer_wanted_takes_no_turn():
    strangers = Turns()
    strangers.ask(*"-" * AT_ONCE)
    for _ in range(100):
        strangers.turns.call("a", lambda: False)
    strangers.ask("a")
    await strangers.settle()
    assert strangers.passes[-1] == 1


async def test_who_has_given_up_takes_no_turn():
    strangers = Turns()
    asyncio.get_running_loop().call_soon(lambda: strangers.ask(*"-" * AT_ONCE))
    waiting = [asyncio.ensure_future(strangers.turns.wait("a")) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    strangers.ask("a")
    await strangers.settle()
    assert all(each.cancelled() for each in waiting)
    assert strangers.passes[-1] == 1


async def test_a_turn_that_fails_is_not_the_end_of_them():
    strangers = Turns()
    strangers.ask(*"-" * AT_ONCE)

    def fail() -> bool:
        raise OSError

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    strangers.turns.call("a", fail)
    strangers.ask("b")
    await strangers.settle()
    assert strangers.order[-1] == "b"
