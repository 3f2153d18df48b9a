"""Pipes by whose end parts learn that `up` has ended, and over which they say that they work."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from prefect_phantom.adapters.process.parent import PIPES


class Pipes:
    """One that ends with this process, and two for each part: see `adapters.parent`."""

    def __init__(self, order: Iterable[str]) -> None:
        """`order` names the parts in the order of their stop: each needs those after it."""
        self._parent = os.pipe()
        self._followers = {part: os.pipe() for part in order}
        self._ready = {part: os.pipe() for part in self._followers}
        for reader, _ in self._ready.values():
            os.set_blocking(reader, False)

    def environment(self, part: str) -> dict[str, str]:
        """What tells `part` which of its descriptors are for what."""
        pipes = self._parent[0], self._followers[part][0], self._ready[part][1]
        return {PIPES: ",".join(map(str, pipes))}

    def descriptors(self, part: str) -> Sequence[int]:
        """What `part` inherits: its own three, and what it holds of the parts after it."""
        order = list(self._followers)
        held = [self._followers[name][1] for name in order[order.index(part) + 1 :]]
        return [self._parent[0], self._followers[part][0], self._ready[part][1], *held]

    def says_ready(self, part: str) -> bool:
        """Whether `part` has said, since this was last asked, that it works."""
        with suppress(BlockingIOError):
            return bool(os.read(self._ready[part][0], 1))
        return False

    def close(self) -> None:
        """Close them: whatever of the parts is still there, stops."""
        for pair in (self._parent, *self._followers.values(), *self._ready.values()):
            for descriptor in pair:
                os.close(descriptor)
