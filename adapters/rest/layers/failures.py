"""Every error becomes the failed envelope; this is the one place that knows status codes."""

from __future__ import annotations

import logging
import uuid

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_phantom.adapters.errors import (
    BodyTooLarge,
    EndpointNotFound,
    HeadTooLarge,
    Invalid,
    KeyReused,
    MethodNotAllowed,
    NameNotHeld,
    NameTaken,
    NoneWorked,
    NotFound,
    PhantomError,
    Refused,
    RequestTooSlow,
    Superseded,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from prefect_phantom.adapters.rest.responses import answer, failure
from prefect_phantom.adapters.store.database.availability import is_outage, is_uncertain

logger = logging.getLogger("prefect_phantom.failures")

STATUSES: dict[type[PhantomError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Refused: 403,
    NotFound: 404,
    EndpointNotFound: 404,
    MethodNotAllowed: 405,
    RequestTooSlow: 408,
    KeyReused: 409,
    NameNotHeld: 409,
    NameTaken: 409,
    Superseded: 409,
    BodyTooLarge: 413,
    TooMany: 429,
    HeadTooLarge: 431,
    Unavailable: 503,
}
"""Codes of the base classes. 401 is recorded, 404 for a playbook too, the rest our decision."""


class Failures:
    """Answers what any part below it raises."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request. An error after the answer has begun is raised on to the server."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if started:
                raise  # too late for an answer; the server logs it and closes the connection
            response = _refusal(error) if isinstance(error, PhantomError) else _fault(error)
            await response(scope, receive, send)


def status_of(error: PhantomError) -> int:
    """The status code of `error`."""
    return status_of_kind(type(error))


def status_of_kind(kind: type[PhantomError]) -> int:
    """The status code of errors of this class, by the nearest class that has one."""
    return next(STATUSES[each] for each in kind.__mro__ if each in STATUSES)


def _refusal(error: PhantomError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Basic realm="prefect-phantom", charset="UTF-8"'
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(Unavailable.RETRY_AFTER_SECONDS)
    if type(error) is Unavailable:  # the database itself, and not a kind below it
        headers["Prefect-Phantom-Outage"] = "database"
    if isinstance(error, NoneWorked):
        return answer(error.results, status_of(error))
    return failure(str(error), status_of(error), headers, error.fields)


def _fault(error: Exception) -> Response:
    """Ours, not the caller's: logged with its traceback under an id that the caller is shown."""
    if is_outage(error):
        logger.error("The database does not answer: %r", error)
        return _refusal(Unavailable(uncertain=is_uncertain(error)))
    incident = uuid.uuid4().hex
    logger.error("Incident %s", incident, exc_info=error)
    return failure(f"Internal error, noted in the gateway's log as incident {incident}", 500)
