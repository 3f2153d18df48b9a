"""Something that is away for a while: told in one line, and waited for together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0


class Outage:
    """Says once that something is away, and once that it is back."""

    def __init__(self, what: str, logger: logging.Logger) -> None:
        """`what` is the beginning of a sentence, such as ``Prefect at http://...``."""
        self._what = what
        self._logger = logger
        self._away = False

    def began(self, error: BaseException) -> None:
        """It does not answer, or not as it should."""
        if not self._away:
            self._logger.warning("%s cannot be used (%s); waiting for it", self._what, line(error))
        self._away = True

    def ended(self) -> None:
        """It answers."""
        if self._away:
            self._logger.info("%s can be used now", self._what)
        self._away = False


class Dependency:
    """What several loops need; when it is away, all of them wait for the same answer."""

    def __init__(
        self,
        what: str,
        logger: logging.Logger,
        *,
        is_outage: Callable[[BaseException], bool],
        ask: Callable[[], Awaitable[object]],
    ) -> None:
        """`ask` raises what `is_outage` knows, for as long as it is away."""
        self.is_outage = is_outage
        self._outage = Outage(what, logger)
        self._ask = ask
        self._waiting: asyncio.Task[None] | None = None

    async def find(self) -> None:
        """Return when it answers."""
        try:
            await self._ask()
        except Exception as error:
            if not self.is_outage(error):
                raise
            try:
                await self.wait_back(error)
            finally:
                if self._waiting is not None:
                    self._waiting.cancel()

    async def wait_back(self, error: BaseException) -> None:
        """Return when it answers; `error` is how it was found out that it does not."""
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(self._wait(error))
        await asyncio.shield(self._waiting)

    async def _wait(self, error: BaseException) -> None:
        self._outage.began(error)
        pause = FIRST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self._ask()
            except Exception as still:  # noqa: BLE001 - whatever else it is, it is an answer
                if self.is_outage(still):
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                    continue
            return self._outage.ended()


def line(error: BaseException) -> str:
    """What is wrong, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
