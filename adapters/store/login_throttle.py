"""Slows down who guesses passwords and tokens, in the memory of one gateway.

What counts is the pair of an address and whom it claims to be, and the address alone. A name alone
never counts, or anybody could lock a user out. Who was right from an address before is not held up
there by the failures of others, since shops stand behind one address together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import Any

from adapters.errors import TooMany, Unauthenticated
from adapters.store.users import Address

ADDRESS_FACTOR = 10
"""How many times as many failures an address may have as a user at an address."""
MOST = 10_000
"""Most entries in each memory; beyond it the oldest are forgotten."""


class LoginThrottle:
    """After `failures` within `minutes` a user at an address is refused until they are over."""

    def __init__(self, failures: int = 10, minutes: float = 5.0) -> None:
        self._most = failures
        self._seconds = minutes * 60
        self._failures: dict[Hashable, tuple[float, int]] = {}
        self._right: dict[Hashable, None] = {}

    @contextmanager
    def attempt(self, address: Address | None, who: bytes) -> Iterator[Callable[[], None]]:
        """Counts a login that ends with `Unauthenticated`. `who` is a hash of name or token.

        Gives the check to make before each costly step; it raises `TooMany`.
        """
        place = neighbourhood(address)
        pair = (place, who)
        try:
            yield lambda: self._check(place, pair)
        except Unauthenticated:
            self._count(pair)
            self._count(place)
            raise
        self._failures.pop(pair, None)
        self._right.pop(pair, None)
        self._right[pair] = None
        _shorten(self._right)

    def _check(self, place: Hashable, pair: Hashable) -> None:
        now = time.monotonic()
        waits = [self._wait(pair, self._most, now)]
        if pair not in self._right:
            waits.append(self._wait(place, self._most * ADDRESS_FACTOR, now))
        if max(waits) > 0:
            raise TooMany(TooMany.FAILURES, max(waits))

    def _wait(self, key: Hashable, most: int, now: float) -> float:
        end, count = self._failures.get(key, (0.0, 0))
        return end - now if count >= most else 0.0

    def _count(self, key: Hashable) -> None:
        now = time.monotonic()
        end, count = self._failures.pop(key, (0.0, 0))
        self._failures[key] = (end, count + 1) if end > now else (now + self._seconds, 1)
        _shorten(self._failures)


def neighbourhood(address: Address | None) -> Hashable:
    """What counts as one address: of IPv6 the first 64 bits, which one customer has to himself."""
    return int(address) >> 64 if isinstance(address, IPv6Address) else address


def _shorten(memory: dict[Hashable, Any]) -> None:
    if len(memory) > MOST:
        del memory[next(iter(memory))]
