"""A loop that is kept going, whatever breaks one of its rounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from adapters.outage import Dependency

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
logger = logging.getLogger("prefect_phantom.gateway")


async def keep(
    name: str, run: Callable[[], Awaitable[None]], needs: Sequence[Dependency] = ()
) -> None:
    """Keep a loop going: what broke a round is logged, and the round is tried again.

    Where one of its `needs` is away that is waited for, and is no error.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await run()
        except Exception as error:
            reasons = list(_reasons(error))
            away = next((need for need in needs if all(map(need.is_outage, reasons))), None)
            if away is not None:
                await away.wait_back(reasons[0])
            else:
                logger.exception("The %s loop failed; it goes on in %.1f s", name, pause)
        if asyncio.get_running_loop().time() - began > 2 * LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _reasons(error: Exception) -> Iterator[Exception]:
    """What several tasks of a loop ended by, or the one error that it has."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _reasons(each)
    else:
        yield error
