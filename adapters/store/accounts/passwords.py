"""argon2 passwords, with a short memory of those that were right."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from prefect_phantom.adapters.between.fair_semaphore import FairSemaphore
from prefect_phantom.adapters.process.niceness import give_way

REMEMBER_SECONDS = 60.0
"""How long a right password is accepted without computing argon2 again (our decision)."""
VERIFICATIONS_AT_ONCE = 2
"""Most argon2 computations at once: each takes about 200 ms of CPU and 64 MiB (our decision)."""
MOST_WAITING = 100
WAIT_SECONDS = 30.0
"""How many logins may wait for their computation, and how long each."""
FOR_KNOWN = 1
"""So many computations beside these, for passwords that were right before."""
LESSER_PRIORITY = 10
"""How much nicer than the rest is what computes, since anybody may ask for it."""

_hasher = PasswordHasher()


_threads = ThreadPoolExecutor(
    VERIFICATIONS_AT_ONCE + FOR_KNOWN, "argon2", initializer=give_way, initargs=(LESSER_PRIORITY,)
)


def hash_password(password: str) -> str:
    """The argon2id hash to store. Takes about 200 ms of CPU: call it in a thread."""
    return _hasher.hash(password)


def matches(password: str, password_hash: str) -> bool:
    """Whether `password` is the one behind `password_hash`. As slow as `hash_password`."""
    try:
        return _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False


class Passwords:
    """Verifies passwords for one process.

    What is remembered is no password but a keyed hash over user name, stored hash and password.
    The key never leaves the process, and a changed password drops the memory by itself, since the
    stored hash is part of what was hashed.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}
        self._verifications, self._for_known = (
            FairSemaphore(places, most_waiting=MOST_WAITING, seconds=WAIT_SECONDS)
            for places in (VERIFICATIONS_AT_ONCE, FOR_KNOWN)
        )
        # Nobody knows its password. Unknown users are verified against it, so that their refusal
        # takes as long as that of a wrong password and does not tell who exists.
        self._nobody = hash_password(secrets.token_urlsafe())

    async def verify(
        self,
        username: str,
        password: str,
        password_hash: str | None,
        *,
        turn: Hashable = None,
        among: Hashable = None,
        is_known: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> bool:
        """Whether `password` belongs to `username`; without a hash always False, equally late.

        Those with the same `turn`, such as an address, wait for each other and hold up nobody else,
        and so do those `among` the same ones, such as a network; raises `TooMany` when too many
        wait. A password that `is_known` waits for no other ones. `before` is called when it is the
        caller's turn to compute, and may raise to refuse that.
        """
        stored = self._nobody if password_hash is None else password_hash
        fingerprint = self._fingerprint(username, password, stored)
        if self._is_remembered(fingerprint):
            return True
        turns = self._for_known if is_known else self._verifications
        async with turns.place(turn, among=among):
            # Of many callers that came with the same password, only the first has to compute.
            if self._is_remembered(fingerprint):
                return True
            before()
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(_threads, matches, password, stored)
        if not right or password_hash is None:
            return False
        self._remember(fingerprint)
        return True

    def _fingerprint(self, username: str, password: str, password_hash: str) -> bytes:
        parts = [part.encode("utf-8", "surrogatepass") for part in (username, password_hash)]
        prefix = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, prefix + password.encode("utf-8", "surrogatepass"), "sha256")

    def _is_remembered(self, fingerprint: bytes) -> bool:
        return self._remembered.get(fingerprint, 0.0) > time.monotonic()

    def _remember(self, fingerprint: bytes) -> None:
        now = time.monotonic()
        self._remembered = {known: end for known, end in self._remembered.items() if end > now}
        self._remembered[fingerprint] = now + REMEMBER_SECONDS
