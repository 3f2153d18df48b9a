"""A loop goes on, whatever breaks a round; and nobody goes on without it."""

from __future__ import annotations

import asyncio

import pytest

from prefect_phantom.adapters.gateway import loop
from prefect_phantom.adapters.gateway.loop import LoopEnded, beside, keep
from prefect_phantom.adapters.process.outage import Dependency


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FIRST_PAUSE_SECONDS", 0.001)


class Rounds:
    """A loop whose first round ends by what it waits for being cancelled."""

    def __init__(self) -> None:
        self.begun = 0
        self.second = asyncio.Event()

    async def run(self) -> None:
        self.begun += 1
        if self.begun == 1:
            waited_for = asyncio.create_task(asyncio.Event().wait())
            asyncio.get_running_loop().call_soon(waited_for.cancel)
            await waited_for
        self.second.set()
        await asyncio.Event().wait()


async def test_a_loop_goes_on_when_what_it_waited_for_was_cancelled() -> None:
    rounds = Rounds()
    kept = asyncio.create_task(keep("some", rounds.run))
    second = asyncio.create_task(rounds.second.wait())
    await asyncio.wait({kept, second}, return_when=asyncio.FIRST_COMPLETED)
    second.cancel()
    assert not kept.done()
    kept.cancel()
    await asyncio.gather(kept, return_exceptions=True)
    assert kept.cancelled()


async def test_a_loop_goes_on_when_the_wait_for_what_it_needs_was_cancelled() -> None:
    async def ask() -> None:
        raise ConnectionError

    def is_outage(error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    need = Dependency("The server", loop.logger, is_outage=is_outage, ask=ask)
    begun = asyncio.Semaphore(0)

    async def run() -> None:
        begun.release()
        raise ConnectionError

    kept = asyncio.create_task(keep("some", run, [need]))
    for _ in range(3):
        await begun.acquire()
        while need._waiting is None or need._waiting.done():
            await asyncio.sleep(0)
        need._waiting.cancel()
    assert not kept.done()
    kept.cancel()
    await asyncio.gather(kept, return_exceptions=True)


async def test_nobody_goes_on_without_a_loop_that_has_ended() -> None:
    async def end() -> None:
        raise GeneratorExit

    async def last() -> None:
        await asyncio.Event().wait()

    stop = asyncio.Event()
    loops = [
        asyncio.create_task(keep("lasting", last), name="lasting"),
        asyncio.create_task(keep("ending", end), name="ending"),
    ]
    with pytest.raises(LoopEnded, match="The ending loop has ended"):
        async with beside(loops, stop):
            await stop.wait()
    assert all(each.done() for each in loops)


async def test_loops_end_with_the_block() -> None:
    async def last() -> None:
        await asyncio.Event().wait()

    loops = [asyncio.create_task(keep("lasting", last), name="lasting")]
    async with beside(loops, asyncio.Event()):
        await asyncio.sleep(0)
    assert loops[0].cancelled()
