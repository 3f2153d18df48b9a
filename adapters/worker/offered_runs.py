"""Whose turn it is on a worker: which flow runs it has taken, and which it takes next."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

Offer = dict[str, Any]
"""What a gateway says of a flow run: ``{id, deployment_id, name, parameters, tags, labels,
version}``."""

OVERTAKEN_SECONDS = 5.0
"""What others were offered is left to them until it is so much older than our next offer."""
MOST_OFFERS = 1000
"""Offers that are kept while no slot is free; of more, a poll finds out."""


class Turns:
    """First come, first served, as far as it is known who came first.

    An offer is taken without asking Prefect. But offers are lost, with a worker that dies, or were
    never made; and for as long as later ones keep every slot busy nobody else would ever have his
    turn. So from time to time a free slot asks Prefect first, and again for as long as the answer
    names somebody who has waited for longer than the next offer.
    """

    def __init__(self) -> None:
        self.taken: set[UUID] = set()
        """Flow runs with a slot."""
        self._offers: dict[UUID, Offer] = {}
        self._asks_first = False
        self._asks_last = False

    def offered(self, offer: Offer) -> None:
        """Keep an offer until a slot is free."""
        flow_run_id = UUID(offer["id"])
        if flow_run_id not in self.taken and len(self._offers) < MOST_OFFERS:
            self._offers[flow_run_id] = offer

    def drop(self) -> None:
        """Forget what was offered: Prefect is to be asked, which has all of it."""
        self._offers.clear()
        self._asks_last = True

    def ask_first(self) -> None:
        """No slot was free for a poll: the next one asks before it takes an offer."""
        self._asks_first = True

    def ask_last(self) -> None:
        """There is work that was offered to another worker: ask when our own offers are done."""
        self._asks_last = True

    @property
    def asks(self) -> bool:
        """Whether a free slot asks Prefect now."""
        return self._asks_first or (self._asks_last and not self._offers)

    def found(self, due: Sequence[FlowRun], free: int) -> list[FlowRun]:
        """Take as many as slots are `free` of those that Prefect has, the first in its order."""
        new = [flow_run for flow_run in due if flow_run.id not in self.taken]
        chosen, waiting = new[:free], new[free:]
        for flow_run in chosen:
            self.taken.add(flow_run.id)
            self._offers.pop(flow_run.id, None)
        self._asks_last = False
        self._asks_first = self._is_overtaking(waiting)
        return chosen

    def next_offer(self) -> Offer | None:
        """Take the next offer, if there is one."""
        if not self._offers:
            return None
        flow_run_id = next(iter(self._offers))
        self.taken.add(flow_run_id)
        return self._offers.pop(flow_run_id)

    def _is_overtaking(self, waiting: Sequence[FlowRun]) -> bool:
        ours = [scheduled(each) for each in waiting if each.id in self._offers]
        least = min(ours, default=inf) - OVERTAKEN_SECONDS
        return any(scheduled(each) < least for each in waiting if each.id not in self._offers)


def scheduled(flow_run: FlowRun) -> float:
    """When the flow run was to begin, in seconds since the epoch; 0 when it does not say."""
    time = flow_run.next_scheduled_start_time or flow_run.expected_start_time
    return time.timestamp() if time else 0.0
