"""Whether Prefect as a whole does not answer, or refuses us."""

from __future__ import annotations

import logging

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from prefect_phantom.adapters.errors import PrefectUnavailable
from prefect_phantom.adapters.process.outage import Dependency

PREFECT_ERRORS = (httpx.HTTPError, PrefectException)
"""What its client raises."""
REFUSING_ALL = frozenset(
    {
        httpx.codes.UNAUTHORIZED,
        httpx.codes.FORBIDDEN,
        httpx.codes.TOO_MANY_REQUESTS,
        httpx.codes.BAD_GATEWAY,
        httpx.codes.SERVICE_UNAVAILABLE,
        httpx.codes.GATEWAY_TIMEOUT,
    }
)


class PrefectAway(Exception):
    """Prefect does not answer in time, or its stream of events is broken."""


def is_outage(error: BaseException) -> bool:
    """Whether it is no fault of the one request that raised `error`."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in REFUSING_ALL
    return isinstance(error, (httpx.TransportError, PrefectAway, PrefectUnavailable))


def prefect_dependency(client: PrefectClient, logger: logging.Logger) -> Dependency:
    """The server that `client` talks to, for loops that need it."""

    async def ask() -> None:
        # The client's own repeats would go on for a minute.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            await client.api_version()

    return Dependency(f"Prefect at {client.api_url}", logger, is_outage=is_outage, ask=ask)
