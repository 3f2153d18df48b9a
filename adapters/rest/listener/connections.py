"""The connections of a listener: how many there may be, and which of them gives way to another.

A connection waits while its client has to do something: shake hands, send the rest of a request or
a further one, take an answer. Only one that waits gives way: of those whose sender is not known
the one that has waited for longest, and one whose sender is known only when there is no other. So
who merely holds connections keeps nobody out, and who is being served goes on.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

from prefect_phantom.adapters.store.accounts.login_throttle import neighbourhood
from prefect_phantom.adapters.store.accounts.users import Address, Network

LEAVING = 4
"""How many may be on their way out before others are taken in: each has a descriptor until then."""


class Place:
    """The place of one connection among the others."""

    __slots__ = (
        "_among",
        "_waits_among",
        "address",
        "close",
        "gives_way",
        "is_exempt",
        "is_known",
    )

    def __init__(self, among: Connections, address: Address | None, *, is_exempt: bool) -> None:
        self._among = among
        self._waits_among: dict[Place, None] | None = None
        self.address = address
        self.is_exempt = is_exempt
        """Whether its address speaks for many."""
        self.is_known = False
        """Whether a request came over it with credentials that were right."""
        self.gives_way = False
        self.close: Callable[[], object] = _not_open
        """Ends the connection at once."""

    def wait(self) -> None:
        """It is the client's turn from now on."""
        if not self.gives_way:
            self.serve()
            self._waits_among = self._among.waiting[self.is_known]
            self._waits_among[self] = None

    def serve(self) -> None:
        """It is ours."""
        if self._waits_among is not None:
            del self._waits_among[self]
            self._waits_among = None

    def leave(self) -> None:
        """The connection is no more. Saying so again does nothing."""
        self._among.remove(self)


class Connections:
    """At most `most` connections, and at most `most_near` of one address.

    An address is what counts as one for whoever guesses passwords, too. `exempt` are networks whose
    addresses speak for many, so that only `most` holds for them.
    """

    def __init__(self, most: int, most_near: int, exempt: Sequence[Network] = ()) -> None:
        self.most = most
        self.most_near = most_near
        self.exempt = tuple(exempt)
        self.waiting: tuple[dict[Place, None], dict[Place, None]] = {}, {}
        """Those whose client has to do something, each the one that waits for longest first: of
        strangers, and of those who are known."""
        self.closed = 0
        """How many were closed for others, or not admitted."""
        self._all: set[Place] = set()
        self._near: Counter[Hashable] = Counter()
        self._leaving = 0

    @property
    def are_settled(self) -> bool:
        """Whether few connections are on their way out, so that others may be taken in."""
        return self._leaving < LEAVING

    def admit(self, address: Address | None) -> Place | None:
        """The place of a new connection, for which another may be closed; None if there is none."""
        near = neighbourhood(address)
        is_exempt = self._is_exempt(address)
        if not self._has_room(near, is_exempt=is_exempt):
            return None
        place = Place(self, address, is_exempt=is_exempt)
        self._all.add(place)
        self._near[near] += 1
        place.wait()
        return place

    def remove(self, place: Place) -> None:
        """Forget a connection that is no more."""
        if place not in self._all:
            return
        place.close = _not_open  # or each would keep the other until the next look at all objects
        place.serve()
        self._all.remove(place)
        near = neighbourhood(place.address)
        self._near[near] -= 1
        if not self._near[near]:
            del self._near[near]
        self._leaving -= place.gives_way

    def __len__(self) -> int:
        return len(self._all)

    def _has_room(self, near: Hashable, *, is_exempt: bool) -> bool:
        """Whether one more fits, after one that waits was closed if that is needed."""
        is_near_full = self._near[near] >= self.most_near and not is_exempt
        if not is_near_full and len(self._all) < self.most:
            return True
        self.closed += 1
        candidates: Iterator[Place] = itertools.chain(*self.waiting)
        if is_near_full:
            candidates = (each for each in candidates if neighbourhood(each.address) == near)
        chosen = next(candidates, None)
        if chosen is None:
            return False
        chosen.serve()
        chosen.gives_way = True
        self._leaving += 1
        chosen.close()
        return True

    def _is_exempt(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.exempt)


def _not_open() -> None:
    """What there is to end of a connection that was only admitted."""
