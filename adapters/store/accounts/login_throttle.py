"""Slows down who guesses passwords, in the memory of one gateway.

What counts is the pair of an address and whom it claims to be, and the address alone. A name alone
never counts, or anybody could lock a user out. Nor are those held up who are who they claim to be:
a token is looked up before anything is counted, since nobody guesses 256 bits, and a password that
was right from an address before is tried there whatever others got wrong. What a wrong one is
answered depends on counts alone, so that it tells nobody who else calls from there.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import Any

from prefect_phantom.adapters.errors import TooMany, Unauthenticated
from prefect_phantom.adapters.store.accounts.users import Address

ADDRESS_FACTOR = 10
"""How many times as many failures an address may have as a user at an address."""
KNOWN_FACTOR = 100
"""After how many times as many even the password that was right there before is not tried: whoever
shares the user's address could find it out by trying others until one is served."""
SECOND = 1_000_000_000
MOST = 10_000
"""Most entries in each memory; beyond it the oldest are forgotten."""


class LoginThrottle:
    """After `failures` within `minutes` a user at an address is refused until they are over."""

    def __init__(self, failures: int = 10, minutes: float = 5.0) -> None:
        self._most = failures
        self._nanoseconds = int(minutes * 60 * SECOND)
        self._failures: dict[Hashable, tuple[int, int]] = {}
        self._right: dict[Hashable, bytes] = {}

    @property
    def has_failures(self) -> bool:
        """Whether any are counted; without one nobody is refused."""
        return bool(self._failures)

    @contextmanager
    def attempt(
        self, address: Address | None, who: bytes, password: bytes
    ) -> Iterator[Callable[[], None]]:
        """Counts a login that fails. `who` and `password` are keyed hashes of what was sent.

        Gives the check to make before each costly step; it raises `TooMany`.
        """
        place = neighbourhood(address)
        pair = (place, who)
        try:
            yield lambda: self._check(place, pair, password)
        except Unauthenticated:
            self._count(pair)
            self._count(place)
            raise
        self._right.pop(pair, None)
        self._right[pair] = password
        _shorten(self._right)

    def knows(self, address: Address | None, who: bytes, password: bytes) -> bool:
        """Whether this password was right for them there before."""
        right = self._right.get((neighbourhood(address), who), b"")
        return hmac.compare_digest(right, password)

    def count_token(self, address: Address | None) -> None:
        """Count a token that nobody has. Raises `TooMany` when many came from there."""
        place = ("token", neighbourhood(address))
        wait = self._wait(place, self._most * ADDRESS_FACTOR)
        if wait > 0:
            raise TooMany(TooMany.FAILURES, wait)
        self._count(place)

    def _check(self, place: Hashable, pair: Hashable, password: bytes) -> None:
        wait = max(self._wait(pair, self._most), self._wait(place, self._most * ADDRESS_FACTOR))
        if wait > 0 and not self._was_right(pair, password):
            raise TooMany(TooMany.FAILURES, wait)

    def _was_right(self, pair: Hashable, password: bytes) -> bool:
        """Whether it is the password that was right there before, and may still be tried."""
        if pair not in self._right:
            return False
        guesses = ("guesses", pair)  # apart: how many there are changes no other answer
        if hmac.compare_digest(self._right[pair], password):
            return not self._wait(guesses, self._most * KNOWN_FACTOR)
        self._count(guesses)
        return False

    def _wait(self, key: Hashable, most: int) -> float:
        """For how many seconds no more is allowed; 0 when it is allowed now."""
        end, count = self._failures.get(key, (0, 0))
        return max(0, end - time.monotonic_ns()) / SECOND if count >= most else 0.0

    def _count(self, key: Hashable) -> None:
        now = time.monotonic_ns()
        end, count = self._failures.pop(key, (0, 0))
        self._failures[key] = (end, count + 1) if end > now else (now + self._nanoseconds, 1)
        _shorten(self._failures)


def neighbourhood(address: Address | None) -> Hashable:
    """What counts as one address: of IPv6 the first 64 bits, which one customer has to himself."""
    return int(address) >> 64 if isinstance(address, IPv6Address) else address


def network(address: Address | None) -> Hashable:
    """What one customer may have many addresses of: 48 bits of IPv6, 16 of IPv4."""
    if address is None:
        return None
    return int(address) >> (80 if isinstance(address, IPv6Address) else 16)


def _shorten(memory: dict[Hashable, Any]) -> None:
    if len(memory) > MOST:
        del memory[next(iter(memory))]
