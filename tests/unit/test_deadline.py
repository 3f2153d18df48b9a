from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from prefect_phantom.apps._web import deadline
from prefect_phantom.apps._web.deadline import Deadline


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes no more connections, and refuses none."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # more than it keeps for whoever accepts them, which nobody does
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_host_that_does_not_answer_is_given_up_when_the_time_is_over(deaf_port: int) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        Deadline(0.3).connect("127.0.0.1", deaf_port)
    assert time.monotonic() - began >= 0.3


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    deaf_port: int, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(socket.AF_INET, ("127.0.0.1", number)) for number in (deaf_port, port)]
    monkeypatch.setattr(deadline, "_look_up", lambda *_: both)
    with Deadline(1).connect("two.example", 1) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)


def test_a_resolver_that_does_not_answer_is_given_up_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(deadline, "_look_up", lambda *_: over.wait() and [])
    with pytest.raises(TimeoutError):
        Deadline(0.2).connect("slow.example", 1)
    over.set()


def test_a_name_is_looked_up(port: int) -> None:
    with Deadline(5).connect("localhost", port) as connection:
        assert connection.getpeername()[1] == port


def test_a_name_that_is_none_is_told() -> None:
    with pytest.raises(UnicodeError):
        Deadline(5).connect("a..b", 1)


def test_what_is_left_is_at_most_what_was_asked_for() -> None:
    assert 4 < Deadline(5).left() <= 5
    assert Deadline(5).left(at_most=1) == 1
    with pytest.raises(TimeoutError):
        Deadline(0).left()
