"""The slots in Prefect's limits that this process holds: each has a lease there, which is renewed.

A lease that nobody renews any more ends, and its slot comes back. What is held is also told to the
gateway, which gives back at once what a run leaves behind.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client

from prefect_phantom.flows.failure import AssetMisconfiguration, PrefectUnavailable

LEASE_SECONDS = 60.0
"""The shortest that Prefect has."""
RENEW_SECONDS = 20.0
RETRY_SECONDS = 2.0
"""Pause after Prefect did not answer."""
Note = Callable[[Sequence[UUID]], object]
"""Is told of all leases that are held, whenever they change."""
logger = logging.getLogger("prefect_phantom.slots")


class SlotLeases:
    """Takes slots and gives them back; a thread renews them while any is held."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[UUID, float] = {}
        """When each is to be renewed."""
        self._left: set[UUID] = set()
        """No longer needed, but not yet given back: Prefect did not answer."""
        self._note: Note | None = None
        self._untold = False
        self._thread: threading.Thread | None = None

    def take(self, limit: str, note: Note | None) -> UUID | None:
        """Take a slot of this limit. None when there is none to be had now.

        Raises:
            AssetMisconfiguration: Prefect has no such limit.
            PrefectUnavailable: Prefect does not answer.

        """
        try:
            answer = _client().increment_concurrency_slots_with_lease(
                [limit], slots=1, mode="concurrency", lease_duration=LEASE_SECONDS
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.LOCKED:
                return None
            reason = f"HTTP {error.response.status_code}"
            raise PrefectUnavailable(_sentence(limit, reason)) from error
        except httpx.TransportError as error:
            raise PrefectUnavailable(_sentence(limit, type(error).__name__)) from error
        granted = answer.json()
        if not granted["limits"]:
            message = f'Prefect has no limit "{limit}"; set the limit of the asset again'
            raise AssetMisconfiguration(message)
        lease = UUID(granted["lease_id"])
        with self._changed:
            self._held[lease] = time.monotonic() + RENEW_SECONDS
            self._note = note
            self._tell()
        return lease

    def give_back(self, lease: UUID) -> None:
        """Give a slot back; if Prefect does not answer, as soon as it does."""
        with self._changed:
            self._held.pop(lease, None)
        given = _give_back(lease)
        with self._changed:
            if not given:
                self._left.add(lease)
            self._tell()

    def _tell(self) -> None:
        """Have the thread look at what has changed. The lock is held."""
        self._untold = self._note is not None
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="slot leases", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _keep(self) -> None:
        try:
            while self._look():
                pass
        finally:
            with self._changed:
                self._thread = None

    def _look(self) -> bool:
        """Do what is to be done now, or wait for it. Returns whether there will be more."""
        with self._changed:
            if not (self._held or self._left or self._untold):
                # Set here too: whoever takes a slot from now on needs another thread.
                self._thread = None
                return False
            if not self._untold:
                self._changed.wait(self._pause())
            told, self._untold = self._untold, False
            held, note, left = [*self._held, *self._left], self._note, list(self._left)
            due = [lease for lease, at in self._held.items() if at <= time.monotonic()]
        if told and note is not None:
            note(held)
        for lease in due:
            self._renew(lease)
        for lease in left:
            if _give_back(lease):
                with self._changed:
                    self._left.discard(lease)
        return True

    def _pause(self) -> float:
        if self._left:
            return RETRY_SECONDS
        soonest = min(self._held.values(), default=time.monotonic() + RENEW_SECONDS)
        return max(0.0, soonest - time.monotonic())

    def _renew(self, lease: UUID) -> None:
        pause = RENEW_SECONDS
        try:
            _client().renew_concurrency_lease(lease, LEASE_SECONDS)
        except httpx.HTTPError as error:
            pause = RENEW_SECONDS if _is_refused(error) else RETRY_SECONDS
            logger.warning("The slot %s of an asset was not renewed: %r", lease, error)
        with self._changed:
            if lease in self._held:
                self._held[lease] = time.monotonic() + pause


def _give_back(lease: UUID) -> bool:
    """Whether nothing is left to do: Prefect has the slot back, or refuses it for good."""
    try:
        _client().release_concurrency_slots_with_lease(lease)
    except httpx.HTTPError as error:
        logger.warning("The slot %s of an asset was not given back yet: %r", lease, error)
        return _is_refused(error)
    return True


def _is_refused(error: httpx.HTTPError) -> bool:
    """Whether Prefect has understood and says no, which asking again does not change."""
    return (
        isinstance(error, httpx.HTTPStatusError)
        and error.response.is_client_error
        and error.response.status_code != httpx.codes.TOO_MANY_REQUESTS
    )


@functools.cache
def _client() -> SyncPrefectClient:
    """A client that stays open: most calls take no longer than opening one."""
    return get_client(sync_client=True).__enter__()


def _sentence(limit: str, reason: str) -> str:
    return f'Prefect does not give a slot of the limit "{limit}" now ({reason})'
