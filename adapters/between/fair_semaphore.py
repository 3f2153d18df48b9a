"""Work of one kind, so much of it at once, with a turn for each of those who wait."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from prefect_phantom.adapters.errors import TooMany

Turn: TypeAlias = asyncio.Future[None]
Key: TypeAlias = tuple[Hashable, Hashable]
"""The wider turn, and the key in it."""


class FairSemaphore:
    """A semaphore whose places go to the key that holds the fewest of them, then in turn.

    A key is whoever shares a turn: a user, or an address before it is known who calls. Alone it may
    hold all places, or `most_each` where others would have to wait for its good will. Keys `among`
    which somebody may have many, such as the addresses of one network, share a wider turn: places
    go to the wider turn that holds the fewest, and within it to the key that does. At most
    `most_waiting` requests wait, for so many `seconds`; when there are more, one is refused: of the
    wider turn that waits with the most, and within it of the key that does.

    A place that was held rests until it was held for no more than its `share` of the time.
    """

    def __init__(
        self,
        places: int,
        *,
        most_waiting: int,
        seconds: float,
        share: float = 1.0,
        most_each: int | None = None,
    ) -> None:
        self._rest = 1 / share - 1
        self._free = places
        self._most_each = most_each or places
        self._most = most_waiting
        self._seconds = seconds
        self._held: Counter[Key] = Counter()
        self._held_among: Counter[Hashable] = Counter()
        self._waiting: dict[Key, deque[Turn]] = {}

    @asynccontextmanager
    async def place(self, by: Hashable, *, among: Hashable = None) -> AsyncIterator[None]:
        """Hold a place while the block lasts. Raises `TooMany` when none came."""
        key = among, by
        if self._free and self._may_hold_more(key):  # nobody waits who may
            self._free -= 1
            self._take(key)
        else:
            await self._turn(key)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            if rest := self._rest * (loop.time() - began):
                loop.call_later(rest, self._give_back, key)
            else:
                self._give_back(key)

    def _take(self, key: Key) -> None:
        self._held[key] += 1
        self._held_among[key[0]] += 1

    async def _turn(self, key: Key) -> None:
        if sum(map(len, self._waiting.values())) >= self._most:
            self._refuse_longest(key)
        turn: Turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except TimeoutError as error:
            self._leave(key, turn)
            raise self._refusal() from error
        except asyncio.CancelledError:
            self._leave(key, turn)
            raise

    def _leave(self, key: Key, turn: Turn) -> None:
        """Whoever waited has gone; a place that was given in the same moment is given back."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._give_back(key)
            return
        with suppress(KeyError, ValueError):  # refused meanwhile
            self._waiting[key].remove(turn)
            if not self._waiting[key]:
                del self._waiting[key]

    def _give_back(self, key: Key) -> None:
        self._held[key] -= 1
        self._held_among[key[0]] -= 1
        if not self._held[key]:
            del self._held[key]
        if not self._held_among[key[0]]:
            del self._held_among[key[0]]
        while may_have := [each for each in self._waiting if self._may_hold_more(each)]:
            following = min(may_have, key=self._holds)
            turns = self._waiting.pop(following)
            turn = turns.popleft()
            if turns:
                self._waiting[following] = turns  # behind all others
            if not turn.done():  # it has given up in this moment
                self._take(following)
                turn.set_result(None)
                return
        self._free += 1

    def _holds(self, key: Key) -> tuple[int, int]:
        return self._held_among[key[0]], self._held[key]

    def _may_hold_more(self, key: Key) -> bool:
        return self._held[key] < self._most_each

    def _refuse_longest(self, key: Key) -> None:
        """Make room for one more of `key`. Raises `TooMany` when no other waits with more."""
        waiting: Counter[Hashable] = Counter()
        for (among, _), turns in self._waiting.items():
            waiting[among] += len(turns)
        widest, most = waiting.most_common(1)[0]
        others = most > waiting[key[0]] + 1
        of = [each for each in self._waiting if each[0] == (widest if others else key[0])]
        longest = max(of, key=lambda each: len(self._waiting[each]), default=key)
        turns = self._waiting.get(longest, deque())
        if not others and len(turns) <= len(self._waiting.get(key, ())) + 1:
            raise self._refusal()
        turn = turns.pop()
        if not turns:
            del self._waiting[longest]
        if not turn.done():
            turn.set_exception(self._refusal())

    def _refusal(self) -> TooMany:
        return TooMany(TooMany.AT_ONCE, self._seconds)
