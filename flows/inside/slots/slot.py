"""Slots: how many actions may be at work on one asset at once, in all runs together.

The limits are Prefect's global concurrency limits. Its own `concurrency` takes a slot and gives it
back for each use, and waits for seconds while all are taken; in one run a slot is rather handed on
to the next who waits for it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from prefect_phantom.flows.asset import AssetRecord
from prefect_phantom.flows.failure import PrefectUnavailable
from prefect_phantom.flows.inside.slots.slot_leases import Note, SlotLeases

HOLD_SECONDS = 5.0
"""After so long a slot is given back, although others of the run wait: other runs may, too."""
PAUSES = (0.05, 1.0)
"""Seconds before Prefect is asked again for a slot, from the first to the last of them."""
PATIENCE_SECONDS = 120.0
"""How long Prefect may not answer before an action fails for it."""


@contextmanager
def slot(asset: AssetRecord | None, note: Note | None = None) -> Iterator[None]:
    """Hold one of the asset's slots inside the block; wait for one first, however long.

    Without a limit, or without an asset, nothing is asked of Prefect.

    Args:
        asset: The asset to work on.
        note: `Attempt.hold_slots`, by which the gateway knows what to give back if the run dies.

    Raises:
        AssetMisconfiguration: the limit is gone in Prefect.
        PrefectUnavailable: Prefect does not answer for `PATIENCE_SECONDS`.

    """
    if asset is None or asset.limit is None:
        yield
        return
    queue = _queue(asset.limit)
    held = queue.take(note)
    try:
        yield
    finally:
        queue.leave(held)


@dataclass(frozen=True, slots=True)
class _Slot:
    lease: UUID
    since: float


class _Queue:
    """Those in this process who want a slot of one limit. One of them asks Prefect, if need be."""

    def __init__(self, limit: str) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._idle: list[_Slot] = []
        self._waiting = 0
        self._asking = False
        self._pause = PAUSES[0]
        self._not_before = 0.0

    def take(self, note: Note | None) -> _Slot:
        """Wait for a slot: one that another leaves, or a new one."""
        with self._changed:
            self._waiting += 1
        try:
            return self._wait(note)
        finally:
            with self._changed:
                self._waiting -= 1
                unwanted: list[_Slot] = []
                if not self._waiting:
                    unwanted, self._idle = self._idle, []
                # Whoever waited without a time limit may have to ask now, or to look at the clock.
                self._changed.notify()
            for each in unwanted:
                LEASES.give_back(each.lease)

    def leave(self, held: _Slot) -> None:
        """Hand the slot on to the next of this run, or give it back."""
        with self._changed:
            if self._waiting:
                self._changed.notify()
                if time.monotonic() - held.since < HOLD_SECONDS:
                    self._idle.append(held)
                    return
                # Whoever waits in another run asks in the meantime.
                self._not_before = time.monotonic() + PAUSES[1]
        LEASES.give_back(held.lease)

    def _wait(self, note: Note | None) -> _Slot:
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self._changed:
                if self._idle:
                    return self._idle.pop()
                if self._asking:
                    self._changed.wait(PAUSES[1])
                    continue
                if (rest := self._not_before - time.monotonic()) > 0:
                    self._changed.wait(rest)
                    continue
                self._asking = True
            lease = None
            try:
                lease = LEASES.take(self._limit, note)
            except PrefectUnavailable:
                if time.monotonic() > patience:
                    raise
            finally:
                self._asked(given=lease is not None)
            if lease is not None:
                return _Slot(lease, time.monotonic())

    def _asked(self, *, given: bool) -> None:
        with self._changed:
            self._asking = False
            if given:
                self._pause, self._not_before = PAUSES[0], 0.0
            else:
                pause = self._pause * random.uniform(0.7, 1.0)  # noqa: S311 - no secret
                self._pause = min(2 * self._pause, PAUSES[1])
                self._not_before = time.monotonic() + pause
            self._changed.notify()


LEASES = SlotLeases()
_queues: dict[str, _Queue] = {}
_making = threading.Lock()


def _queue(limit: str) -> _Queue:
    with _making:
        return _queues.setdefault(limit, _Queue(limit))
