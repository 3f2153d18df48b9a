"""Strangers take turns in the event loop, one in each of its passes."""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import ip_address

import pytest

from prefect_phantom.adapters.rest.listener import loop_turns
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns

PASSES = 20
FIRST, SECOND = "192.0.2.1", "192.0.2.2"
ELSEWHERE = "198.51.100.1"
LONG = 60.0


class Turns:
    """Turns that note who had one, and in which pass of the loop."""

    def __init__(self) -> None:
        self.turns = LoopTurns()
        self.order: list[str] = []
        self.passes: list[int] = []
        self._pass = 0

    def ask(self, *addresses: str) -> None:
        for address in addresses:
            self.turns.call(ip_address(address), lambda address=address: self._have(address))

    def _have(self, address: str) -> bool:
        self.order.append(address)
        self.passes.append(self._pass)
        return True

    async def settle(self) -> None:
        """Let so many passes go by."""
        for _ in range(PASSES):
            self._pass += 1
            await asyncio.sleep(0)


@pytest.fixture
def strangers() -> Turns:
    return Turns()


async def test_one_has_his_turn_in_one_pass(strangers: Turns) -> None:
    strangers.ask(*[FIRST] * 5)
    await strangers.settle()
    assert list(Counter(strangers.passes).values()) == [1] * 5


async def test_addresses_take_turns(strangers: Turns) -> None:
    strangers.ask(FIRST, *[FIRST] * 3, *[SECOND] * 2)
    await strangers.settle()
    assert strangers.order[1:] == [FIRST, SECOND, FIRST, SECOND, FIRST]


async def test_networks_take_turns_however_many_addresses_they_have(strangers: Turns) -> None:
    many = [f"2001:db8:1:{number}::1" for number in range(10)]
    strangers.ask(FIRST, *many, "2001:db8:2::1", ELSEWHERE)
    await strangers.settle()
    assert strangers.order[1:4] == [many[0], "2001:db8:2::1", ELSEWHERE]
    assert len(strangers.order) == 13


async def test_who_asks_alone_does_not_wait(strangers: Turns) -> None:
    strangers.ask(FIRST)
    assert strangers.order == [FIRST]


async def test_what_is_no_longer_wanted_takes_no_turn(strangers: Turns) -> None:
    strangers.ask(FIRST)
    for _ in range(100):
        strangers.turns.call(ip_address(FIRST), lambda: False)
    strangers.ask(FIRST)
    await strangers.settle()
    assert strangers.passes[-1] == 1


async def test_who_has_given_up_takes_no_turn(strangers: Turns) -> None:
    asyncio.get_running_loop().call_soon(lambda: strangers.ask(FIRST))
    waiting = asyncio.ensure_future(strangers.turns.wait(ip_address(FIRST)))
    await asyncio.sleep(0)
    waiting.cancel()
    strangers.ask(FIRST)
    await strangers.settle()
    assert waiting.cancelled()
    assert strangers.passes[-1] == 1


async def test_a_turn_that_fails_is_not_the_end_of_them(strangers: Turns) -> None:
    strangers.ask(FIRST)

    def fail() -> bool:
        raise OSError

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    strangers.turns.call(ip_address(FIRST), fail)
    strangers.ask(SECOND)
    await strangers.settle()
    assert strangers.order[-1] == SECOND


async def test_strangers_wait_while_somebody_is_ahead(
    strangers: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_turns, "AHEAD_SECONDS", LONG)
    monkeypatch.setattr(loop_turns, "LEAST_SECONDS", LONG)
    first, second = strangers.turns.go_ahead(), strangers.turns.go_ahead()
    strangers.ask(FIRST, SECOND)
    strangers.turns.stay_behind(second)
    await strangers.settle()
    assert strangers.order == []
    strangers.turns.stay_behind(first)
    await strangers.settle()
    assert strangers.order == [FIRST, SECOND]


@pytest.mark.parametrize("seconds", ["AHEAD_SECONDS", "LEAST_SECONDS"])
async def test_they_do_not_wait_for_ever(
    strangers: Turns, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setattr(loop_turns, "AHEAD_SECONDS", LONG)
    monkeypatch.setattr(loop_turns, "LEAST_SECONDS", LONG)
    monkeypatch.setattr(loop_turns, seconds, 0.0)
    strangers.turns.go_ahead()
    strangers.ask(FIRST)
    await asyncio.wait_for(strangers.turns.wait(ip_address(SECOND)), LONG)
    assert strangers.order == [FIRST]
