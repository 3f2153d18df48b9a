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

from flows.asset import AssetRecord
from flows.failure import PrefectUnavailable
from flows.slot_leases import Note, SlotLeases

HOLD_SECONDS = 5.0
"""After so long a slot is given back, although others of the run wait: other runs may, too."""
PAUSES = (0.05, 1.0)
"""Seconds before asking for a slot again, growing; less where others of the run hold one."""
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
        self._free = threading.Condition()
        self._idle: list[_Slot] = []
        self._waiting = 0
        self._asking = False
        self._not_before = 0.0

    def take(self, note: Note | None) -> _Slot:
        """Wait for a slot: one that another leaves, or a new one."""
        with self._free:
            self._waiting += 1
        try:
            return self._wait(note)
        finally:
            with self._free:
                self._waiting -= 1
                unwanted = [] if self._waiting else self._idle
                if unwanted:
                    self._idle = []
                self._free.notify()
            for each in unwanted:
                LEASES.give_back(each.lease)

    def _wait(self, note: Note | None) -> _Slot:
        pause, patience = PAUSES[0], time.monotonic() + PATIENCE_SECONDS
        while True:
            with self._free:
                if self._asking and not self._idle:
                    self._free.wait()
                if self._idle:
                    return self._idle.pop()
                if self._asking:
                    continue
                self._asking = True
            try:
                if taken := self._ask(note, patience):
                    return taken
                with self._free:
                    if not self._idle:
                        self._free.wait(pause * random.uniform(0.7, 1.0))  # noqa: S311
                pause = min(2 * pause, PAUSES[1])
            finally:
                with self._free:
                    self._asking = False
                    self._free.notify()

    def _ask(self, note: Note | None, patience: float) -> _Slot | None:
        with self._free:
            if (rest := self._not_before - time.monotonic()) > 0:
                self._free.wait(rest)
                return None
        try:
            lease = LEASES.take(self._limit, note)
        except PrefectUnavailable:
            if time.monotonic() > patience:
                raise
            return None
        return _Slot(lease, time.monotonic()) if lease else None

    def leave(self, held: _Slot) -> None:
        """Hand the slot on to the next of this run, or give it back."""
        with self._free:
            if self._waiting and time.monotonic() - held.since < HOLD_SECONDS:
                self._idle.append(held)
                self._free.notify_all()
                return
            if self._waiting:
                # Whoever waits in another run asks in the meantime.
                self._not_before = time.monotonic() + PAUSES[1]
        LEASES.give_back(held.lease)


LEASES = SlotLeases()
_queues: dict[str, _Queue] = {}
_making = threading.Lock()


def _queue(limit: str) -> _Queue:
    with _making:
        return _queues.setdefault(limit, _Queue(limit))
