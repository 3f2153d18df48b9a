"""A signal wakes the loop that waits for it, once for any number of calls."""

from __future__ import annotations

import asyncio

import pytest

from prefect_phantom.adapters.between.signal import Signal

LONG = 60.0


async def test_a_signal_sent_before_the_wait_ends_it_at_once():
    signal = Signal()
    signal.notify()
    assert await signal.wait(LONG)


async def test_a_signal_sent_during_the_wait_ends_it():
    signal = Signal()
    waiting = asyncio.create_task(signal.wait(LONG))
    await asyncio.sleep(0)  # lets the task reach its wait
    assert not waiting.done()
    signal.notify()
    assert await waiting


async def test_a_wait_without_a_signal_ends_after_its_time():
    assert not await Signal().wait(0.01)


async def test_a_wait_of_no_time_still_sees_what_was_sent_before():
    signal = Signal()
    signal.notify()
    assert await signal.wait(0)


async def test_many_signals_count_as_one():
    signal = Signal()
    for _ in range(3):
        signal.notify()
    assert await signal.wait(0)
    assert not await signal.wait(0)


async def test_a_signal_sent_while_the_loop_works_is_not_lost():
    signal = Signal()
    signal.notify()
    await signal.wait(LONG)
    signal.notify()  # work that came while the loop did the last
    assert await signal.wait(LONG)


async def test_a_cancelled_wait_keeps_the_signal_for_the_next():
    signal = Signal()
    waiting = asyncio.create_task(signal.wait(LONG))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    signal.notify()
    assert await signal.wait(0)
