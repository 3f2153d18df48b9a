"""What takes too long is left, wherever it waits."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from prefect_phantom.flows.failure import TimedOut
from prefect_phantom.flows.inside.time_limit import SIGNAL, time_limit


def wait_for_ever() -> None:
    threading.Event().wait()


def test_what_waits_in_a_system_call_is_interrupted():
    with pytest.raises(TimedOut, match="too long"), time_limit(0.05, "too long"):
        wait_for_ever()


def test_an_event_loop_is_interrupted():
    with pytest.raises(TimedOut, match="too long"), time_limit(0.05, "too long"):
        asyncio.run(asyncio.Event().wait())


@pytest.mark.parametrize(("outer", "inner", "sentence"), [(0.05, 60, "outer"), (60, 0.05, "inner")])
def test_of_two_limits_the_shorter_one_holds(outer, inner, sentence):
    with (
        pytest.raises(TimedOut, match=sentence),
        time_limit(outer, "outer"),
        time_limit(inner, "inner"),
    ):
        wait_for_ever()


def test_a_thread_that_is_not_the_first_is_left_as_soon_as_it_does_something():
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with time_limit(0.05, "too long"):
                while True:
                    time.sleep(0.01)
        except TimedOut as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert [str(error) for error in raised] == ["too long"]


def test_nothing_is_left_of_a_limit_that_was_kept():
    before = signal.getsignal(SIGNAL)
    for _ in range(200):
        with time_limit(60, "too long"):
            pass
    assert signal.getsignal(SIGNAL) == before
    assert not [each for each in threading.enumerate() if isinstance(each, threading.Timer)]


def test_a_limit_that_ends_with_its_block_ends_no_process():
    for _ in range(200):
        try:
            with time_limit(0.001, "too long"):
                time.sleep(0.001)
        except TimedOut:
            pass


def test_without_a_limit_nothing_is_set_up():
    with time_limit(None, ""):
        assert signal.getsignal(SIGNAL) == signal.SIG_DFL
