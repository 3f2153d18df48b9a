"""Asking a part whether it is ready. Each question is asked once and answered at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg
import httpx

from adapters.supervisor.log import Log

ANSWER_SECONDS = 5.0


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


def says_ready(log: Log) -> Callable[[], Awaitable[bool]]:
    """Ask whether the part has printed the line ``ready``."""

    async def ready() -> bool:
        return log.has_line("ready")

    return ready


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
