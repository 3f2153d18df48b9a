"""Asking a part whether it is ready. Each question is asked once and answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import httpx

ANSWER_SECONDS = 5.0
WAIT_SECONDS = 0.5


def http_answers(url: str, auth: str | None = None) -> Callable[[], Awaitable[bool]]:
    """Ask whether a GET of `url` (with ``user:password``) is answered by 200."""
    user, _, password = (auth or "").partition(":")

    async def ready() -> bool:
        # The address is ours, on this machine, and its certificate one that nobody signed.
        async with httpx.AsyncClient(
            verify=False,  # noqa: S501
            trust_env=False,
            timeout=ANSWER_SECONDS,
            auth=(user, password) if auth else None,
        ) as client:
            try:
                response = await client.get(url)
            except httpx.TransportError:
                return False
            return response.status_code == httpx.codes.OK

    return ready


async def wait_for_server(url: str, tell: Callable[[str], None]) -> None:
    """Return when something answers at `url`; until then why it does not is told, once each."""
    told = ""
    # Whether its certificate is right is for those to say who send it something.
    async with httpx.AsyncClient(verify=False, timeout=ANSWER_SECONDS) as client:  # noqa: S501
        while True:
            try:
                answer = await client.get(url)
            except httpx.HTTPError as error:
                wrong = str(error) or type(error).__name__
            else:
                if not answer.is_server_error:
                    return
                wrong = f"HTTP {answer.status_code}"
            if wrong != told:
                tell(wrong)
            told = wrong
            await asyncio.sleep(WAIT_SECONDS)


def accepts_connections(dsn: str) -> Callable[[], Awaitable[bool]]:
    """Ask whether PostgreSQL lets us in, which it does not before its recovery is over."""

    async def ready() -> bool:
        try:
            connection = await asyncpg.connect(dsn, timeout=ANSWER_SECONDS)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError):
            return False
        except asyncpg.PostgresConnectionError:
            return False
        await connection.close()
        return True

    return ready
