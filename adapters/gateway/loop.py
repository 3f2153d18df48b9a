"""A loop that is kept going, whatever breaks one of its rounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

from prefect_phantom.adapters.process.outage import Dependency

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
logger = logging.getLogger("prefect_phantom.gateway")


class LoopEnded(Exception):
    """A loop that was to be kept going is not."""


async def keep(
    name: str, run: Callable[[], Awaitable[None]], needs: Sequence[Dependency] = ()
) -> None:
    """Keep a loop going: what broke a round is logged, and the round is tried again.

    Where one of its `needs` is away that is waited for, and is no error. It ends when it is
    cancelled itself.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await _round(name, run, needs, pause)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # What the loop waited for was cancelled, and not the loop.
            logger.exception("The %s loop was broken off; it goes on in %.1f s", name, pause)
        if asyncio.get_running_loop().time() - began > 2 * LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def beside(loops: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Let loops run for as long as a block does, and end them after it.

    `stop` is set when one of them ends by itself, so that nobody goes on without it. Then
    `LoopEnded` is raised at the end of the block.
    """
    for loop in loops:
        loop.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        ended = [loop for loop in loops if loop.done()]
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    for loop in ended:
        reason = None if loop.cancelled() else loop.exception()
        raise LoopEnded(f"The {loop.get_name()} loop has ended") from reason


async def _round(
    name: str, run: Callable[[], Awaitable[None]], needs: Sequence[Dependency], pause: float
) -> None:
    try:
        await run()
    except Exception as error:
        reasons = list(_reasons(error))
        away = next((need for need in needs if all(map(need.is_outage, reasons))), None)
        if away is not None:
            await away.wait_back(reasons[0])
        else:
            logger.exception("The %s loop failed; it goes on in %.1f s", name, pause)


def _reasons(error: Exception) -> Iterator[Exception]:
    """What several tasks of a loop ended by, or the one error that it has."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _reasons(each)
    else:
        yield error
