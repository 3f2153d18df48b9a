"""A guardian asks from several threads, which look a name up together."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from prefect_phantom.flows.process.guardian.address import Addresses

AT_ONCE = 4
TIMES = 50


@pytest.fixture
def server() -> Iterator[int]:
    """The port of somebody who takes whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            try:
                while True:
                    listening.accept()[0].close()
            except OSError:
                return

        taking = threading.Thread(target=take)
        taking.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        taking.join()


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Threads interrupt each other at every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_look_up_without_a_thread_is_made_again(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    addresses = Addresses()
    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="thread"):
            addresses.connect("127.0.0.1", server, 30)
    addresses.connect("127.0.0.1", server, 30).close()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    addresses.connect("127.0.0.1", server, 30).close()  # where it was before


@pytest.mark.usefixtures("interrupted")
def test_those_who_ask_at_once_share_a_look_up(server: int) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(TIMES):
            addresses = Addresses()
            asked = [
                threads.submit(addresses.connect, "127.0.0.1", server, 30) for _ in range(AT_ONCE)
            ]
            for each in asked:
                each.result().close()
