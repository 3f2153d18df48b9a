"""Whose credentials are these: PostgreSQL is asked once a minute, and at every change."""

from __future__ import annotations

import functools
import hashlib
import secrets
import time

from prefect_phantom.adapters.between.fair_semaphore import FairSemaphore
from prefect_phantom.adapters.errors import Unauthenticated
from prefect_phantom.adapters.store.accounts import tokens, users
from prefect_phantom.adapters.store.accounts.login_throttle import (
    LoginThrottle,
    neighbourhood,
    network,
)
from prefect_phantom.adapters.store.accounts.passwords import Passwords
from prefect_phantom.adapters.store.accounts.users import Address, User
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.notices import CREDENTIALS, Notices

REMEMBER_SECONDS = 60.0
"""How long credentials that were right are accepted without asking PostgreSQL (our decision)."""
MOST = 10_000
LOOKED_UP_AT_ONCE = 4
"""Most connections to the database that credentials which are not remembered may hold."""
LOOKUPS_WAITING = 1000
LOOKUP_SECONDS = 5.0
"""How many of them wait to be looked up, and how long each."""


class Credentials:
    """Authenticates users, and remembers for a short time who was right.

    A changed user or token is heard of at once, by a notice from the database, and all is
    forgotten; while notices cannot be heard nothing is remembered. What is kept is a keyed hash,
    whose key never leaves the process. `address` is where the caller is, for the throttle.
    """

    def __init__(
        self, database: Database, notices: Notices, throttle: LoginThrottle | None = None
    ) -> None:
        self._database = database
        self._notices = notices
        self._throttle = throttle or LoginThrottle()
        self._passwords = Passwords()
        self._lookups = FairSemaphore(
            LOOKED_UP_AT_ONCE, most_waiting=LOOKUPS_WAITING, seconds=LOOKUP_SECONDS
        )
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[float, User]] = {}
        notices.subscribe(self._hear)

    async def user_of_token(self, token: str, address: Address | None = None) -> User:
        """The user to whom `token` belongs. Raises `Unauthenticated` and `TooMany`."""
        fingerprint = self._fingerprint(token)
        user = self._remembered(fingerprint)
        if user is None:
            known = self._known
            try:
                async with self._lookups.place(neighbourhood(address), among=network(address)):
                    user, expires_in = await tokens.authenticate(self._database, token)
            except Unauthenticated:
                self._throttle.count_token(address)
                raise
            self._remember(known, fingerprint, user, expires_in)
        return user

    async def user_of_password(
        self, username: str, password: str, address: Address | None = None
    ) -> User:
        """The user of this name and password. Raises `Unauthenticated` and `TooMany`."""
        place = _place(address)
        # By the place too: else who guesses elsewhere need only wait until the user is remembered.
        fingerprint = self._fingerprint(place, username, password)
        if not self._throttle.has_failures and (user := self._remembered(fingerprint)) is not None:
            return user
        who = self._fingerprint(username)
        with self._throttle.attempt(address, who, fingerprint) as check:
            check()
            user = self._remembered(fingerprint)
            if user is None:
                known = self._known
                near, wide = neighbourhood(address), network(address)
                user = await users.authenticate(
                    *(self._database, username, password),
                    looking_up=self._lookups.place(near, among=wide),
                    verify=functools.partial(
                        self._passwords.verify,
                        turn=near,
                        among=wide,
                        is_known=self._throttle.knows(address, who, fingerprint),
                        before=check,
                    ),
                )
                self._remember(known, fingerprint, user, None)
        return user

    def _fingerprint(self, *parts: str) -> bytes:
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        text = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
        # Keyed by itself, and a fraction of an HMAC: every request is looked up so.
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()

    def _remembered(self, fingerprint: bytes) -> User | None:
        end, user = self._known.get(fingerprint, (0.0, None))
        return user if end > time.monotonic() else None

    def _remember(
        self,
        known: dict[bytes, tuple[float, User]],
        fingerprint: bytes,
        user: User,
        expires_in: float | None,
    ) -> None:
        # What was read before a change was heard of is put where nobody looks any more.
        if self._notices.connected and len(known) < MOST:
            seconds = min(REMEMBER_SECONDS, REMEMBER_SECONDS if expires_in is None else expires_in)
            known[fingerprint] = (time.monotonic() + seconds, user)

    def _hear(self, notice: str) -> None:
        if notice == CREDENTIALS:
            self._known = {}


def _place(address: Address | None) -> str:
    """The neighbourhood of an address as text; as numbers, which are written ten times as fast."""
    if address is None:
        return ""
    near = neighbourhood(address)
    return f"{address.version}:{near if isinstance(near, int) else int(address)}"
