"""Has every request that may change something noted in the audit, and every one that is refused.

What is carried out is noted in the transaction that does it (`adapters.store.served_request`).
What is refused is noted here, so much a minute, so that no flood of it fills the disk.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Hashable

from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import (
    HeadTooLarge,
    Invalid,
    PhantomError,
    Refused,
    TooMany,
    Unauthenticated,
)
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.layers.authentication import is_protected
from prefect_phantom.adapters.rest.layers.failures import status_of
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.rest.request.body import UNSTORABLE
from prefect_phantom.adapters.store.accounts import audit
from prefect_phantom.adapters.store.accounts.login_throttle import neighbourhood
from prefect_phantom.adapters.store.accounts.served_request import DONE, SERVING, ServedRequest
from prefect_phantom.adapters.store.database.availability import is_outage
from prefect_phantom.adapters.store.database.database import Database

READING = frozenset({"GET", "HEAD", "OPTIONS"})
TURNED_AWAY = (Unauthenticated, Refused, TooMany, HeadTooLarge)
"""Refusals that are noted of requests that only read, too."""
FAULT = 500
LONGEST = 500
"""Characters that are kept of a path or a sentence."""
logger = logging.getLogger("prefect_phantom.audit")


class Audited:
    """Notes requests under ``/rest``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._allowance = Allowance()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http" or not is_protected(scope["path"]):
            await self.app(scope, receive, send)
            return
        if scope["method"] in READING:
            try:
                await self.app(scope, receive, send)
            except TURNED_AWAY as error:
                await self._note_refused(_request(scope), scope, error)
                raise
            return
        request = _request(scope)
        before = SERVING.set(request)
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            await self._note_refused(request, scope, error)
            raise
        finally:
            SERVING.reset(before)
        if not request.noted:
            await audit.add(_database(scope), request, DONE, "")

    async def _note_refused(self, request: ServedRequest, scope: Scope, error: Exception) -> None:
        if is_outage(error):
            return
        if isinstance(error, Unauthenticated):
            request.user_id = error.user_id
        elif "user" in scope:
            request.user_id = scope["user"].id
        known = "user" in scope
        key = request.user_id if known else neighbourhood(address_of(scope))
        database = _database(scope)
        try:
            if left_out := self._allowance.left_out():
                further = ServedRequest("-", "-")
                await audit.add(database, further, FAULT, f"{left_out} refusals were not noted")
            if self._allowance.take(key, known=known):
                await audit.add(database, request, *_outcome(error))
        except Exception as trouble:
            if not is_outage(trouble):
                raise
            logger.warning("A refused request could not be noted: %r", trouble)


class Allowance:
    """How many refusals are noted in each minute, and how many were left out of it."""

    SECONDS = 60.0
    STRANGER = 20
    """For each address whose caller is not known."""
    STRANGERS = 100
    """For all of those together."""
    USER = 100
    """For each user."""

    def __init__(self) -> None:
        self._end = 0.0
        self._taken: Counter[Hashable] = Counter()
        self._strangers = 0
        self._left_out = 0

    def take(self, key: Hashable, *, known: bool) -> bool:
        """Whether one more of `key` is noted in this minute."""
        most = self.USER if known else self.STRANGER
        enough = self._taken[known, key] >= most or (
            not known and self._strangers >= self.STRANGERS
        )
        if enough:
            self._left_out += 1
            return False
        self._taken[known, key] += 1
        self._strangers += not known
        return True

    def left_out(self) -> int:
        """How many were left out of the minute that is over; 0 while it is not."""
        now = time.monotonic()
        if now < self._end:
            return 0
        left_out = self._left_out
        self._end, self._strangers, self._left_out = now + self.SECONDS, 0, 0
        self._taken.clear()
        return left_out


def _outcome(error: Exception) -> tuple[int, str]:
    """Status and sentence; none that repeats what was sent, since that may be secret."""
    if not isinstance(error, PhantomError):
        return FAULT, ""
    return status_of(error), "" if isinstance(error, Invalid) else _storable(str(error))


def _request(scope: Scope) -> ServedRequest:
    address = address_of(scope)
    return ServedRequest(
        scope["method"], _storable(scope["path"]), None if address is None else str(address)
    )


def _storable(text: str) -> str:
    """`text`, which a stranger may have chosen, cut and without what PostgreSQL cannot store."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:LONGEST])


def _database(scope: Scope) -> Database:
    gateway: Gateway = scope["gateway"]
    return gateway.database
