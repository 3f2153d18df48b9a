"""A moment by which an action is over, however slowly a server answers."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from prefect_phantom.apps._web.networks import Network, Reach

Address = tuple[Any, ...]


class Deadline:
    """So many seconds from now, for all that an action does together.

    Its connections go to `networks` only, where these are given, and where `Reach` lets them.
    """

    def __init__(self, seconds: float, networks: Sequence[Network] | None = None) -> None:
        self._end = time.monotonic() + seconds
        self._reach = Reach(networks)

    def left(self, at_most: float | None = None) -> float:
        """Seconds until it is over, but `at_most` so many. Raises `TimeoutError` when it is."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if at_most is None else min(left, at_most)

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of `host` that takes one.

        Raises:
            OSError: there is no such host, or none of its addresses takes a connection.
            AddressRefused: none of its addresses may be connected to.
            UnicodeError: `host` cannot be the name of one.
            TimeoutError: the deadline is over.

        """
        addresses = self._resolve(host, port)
        for number, (family, address) in enumerate(addresses, 1):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                # The address itself, not what its name meant when somebody looked before.
                self._reach.check(address[0])
                # An address that does not answer leaves time for those after it.
                connection.settimeout(self.left() / (len(addresses) - number + 1))
                connection.connect(address)
            except OSError:
                connection.close()
                if number == len(addresses):
                    raise
            else:
                self._reach.reached(address[0])
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
        raise AssertionError  # pragma: no cover - getaddrinfo returns addresses or raises

    def addresses(self, host: str) -> list[str]:
        """The addresses of `host` as this machine knows them; none where it knows none."""
        try:
            return [address[0] for _, address in self._resolve(host, 0)]
        except TimeoutError:
            raise
        except (OSError, UnicodeError):
            return []

    def _resolve(self, host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
        if is_address(host):
            return _look_up(host, port)
        found: Future[list[tuple[socket.AddressFamily, Address]]] = Future()

        def look_up() -> None:
            try:
                found.set_result(_look_up(host, port))
            except (OSError, UnicodeError) as error:
                found.set_exception(error)

        # The system's resolver has times of its own and cannot be interrupted, only left behind.
        threading.Thread(target=look_up, daemon=True).start()
        return found.result(self.left())


def _look_up(host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
    return [
        (family, address)
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]


def is_address(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
