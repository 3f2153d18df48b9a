"""The queue is not looked at for each accepted run while there is nothing to do."""

from __future__ import annotations

import asyncio

import pytest

from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.runs import dispatch
from prefect_phantom.adapters.prefect.runs.dispatch import Dispatcher
from prefect_phantom.adapters.settings import Settings

ACCEPTED = 50


class Idle(Dispatcher):
    """A dispatcher that finds nothing to do."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.signal = Signal()
        self.looks = 0

    async def dispatch(self) -> int:
        self.looks += 1
        return 0


async def looks(pause: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often it looks while so many runs are accepted."""
    monkeypatch.setattr(dispatch, "PAUSE_SECONDS", pause)
    dispatcher = Idle()
    running = asyncio.create_task(dispatcher.run())
    for _ in range(ACCEPTED):
        dispatcher.signal.notify()
        for _ in range(5):
            await asyncio.sleep(0)
    running.cancel()
    return dispatcher.looks


async def test_a_look_that_found_nothing_is_followed_by_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await looks(3600, monkeypatch) == 1
    assert await looks(0, monkeypatch) > 1
