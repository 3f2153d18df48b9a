"""Pipes by whose end the parts learn that `up` has ended, whatever it died of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from adapters.parent import PIPES


class Pipes:
    """One that ends with this process, and one for each part that ends with those that need it."""

    def __init__(self, order: Iterable[str]) -> None:
        """`order` names the parts in the order of their stop: each needs those after it."""
        self._parent = os.pipe()
        self._followers = {part: os.pipe() for part in order}

    def environment(self, part: str) -> dict[str, str]:
        """What tells `part` which of its descriptors to read."""
        return {PIPES: f"{self._parent[0]},{self._followers[part][0]}"}

    def descriptors(self, part: str) -> Sequence[int]:
        """What `part` inherits: two ends to read, and those to hold of the parts after it."""
        order = list(self._followers)
        after = order[order.index(part) + 1 :]
        held = [self._followers[name][1] for name in after]
        return [self._parent[0], self._followers[part][0], *held]

    def close(self) -> None:
        """Close them: whatever of the parts is still there, stops."""
        for pair in (self._parent, *self._followers.values()):
            for descriptor in pair:
                os.close(descriptor)
