"""How senders of the runtime API show who they are, before anything else of a request is read.

The key is what gateway and workers share. A ticket is made with it, for one flow run. The token of
an attempt is signed with it, so that what anybody makes up is refused without a question to the
database; whether the attempt is still the run's own is for the database to say, in the statement
that does what is asked for.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prefect_phantom.adapters.between.fair_semaphore import FairSemaphore
from prefect_phantom.adapters.errors import ForeignFlowRun, Unauthenticated
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.store.accounts.login_throttle import neighbourhood, network
from prefect_phantom.adapters.store.runs import attempts
from prefect_phantom.flows.inside.runtime.ticket import flow_run_of, ticket_key

Credential: TypeAlias = Callable[[Request], Awaitable[None]]
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
PURPOSE = b"token of an attempt:"
SENDER = "a run or a worker"
"""Who is known to have sent a request; that somebody is keeps its connection open."""
LOOKED_UP_AT_ONCE = 2
"""Of tokens without our signature, so that those who make them up hold few connections."""
LOOKUPS_WAITING = 1000
LOOKUP_SECONDS = 5.0
"""How many of them wait for their turn, and how long each."""


def runtime_route(
    path: str, credential: Credential, handler: Handler, *, method: str = "POST"
) -> Route:
    """A path below ``/runtime/``, whose handler is called for who has shown the credential."""

    async def judged(request: Request) -> Response:
        await credential(request)
        request.scope["user"] = SENDER
        return await handler(request)

    return Route(f"/runtime/{path}", judged, methods=[method])


async def key(request: Request) -> None:
    """Raise `Unauthenticated` unless the key of gateway and workers is shown."""
    expected = _key(request)
    if not expected or not hmac.compare_digest(bearer(request).encode(), expected):
        raise Unauthenticated(Unauthenticated.BAD_AUTOMATION)


async def ticket(request: Request) -> None:
    """Raise `Unauthenticated` unless a ticket is shown, or the key, which makes all of them."""
    runtime_key = _key(request)
    of = flow_run_of(bearer(request), ticket_key(runtime_key.decode())) if runtime_key else None
    if of is None:
        await key(request)
    request.state.ticket_of = of


def require_own(request: Request, flow_run_ids: Iterable[UUID]) -> None:
    """Raise `ForeignFlowRun` when the ticket of one flow run was shown for another."""
    of: UUID | None = request.state.ticket_of
    if of is not None and any(each != of for each in flow_run_ids):
        raise ForeignFlowRun(of)


async def token(request: Request) -> None:
    """Raise `Unauthenticated`, `Superseded` or `TooMany` when what is shown is no attempt's token.

    One that an older gateway gave, or that was signed with an earlier key, is looked up.
    """
    shown = bearer(request)
    if not _is_signed(shown, _key(request)):
        looking_up: FairSemaphore = request.app.state.looking_up
        address = address_of(request.scope)
        async with looking_up.place(neighbourhood(address), among=network(address)):
            await attempts.require_known(request.app.state.database, shown)


def lookups() -> FairSemaphore:
    """The turns of those whose tokens are looked up."""
    return FairSemaphore(LOOKED_UP_AT_ONCE, most_waiting=LOOKUPS_WAITING, seconds=LOOKUP_SECONDS)


def new_token(request: Request) -> str:
    """A token for an attempt that begins by `request`."""
    content = secrets.token_urlsafe(32)
    return f"{content}.{_signature(_key(request), content)}"


def bearer(request: Request) -> str:
    """The token or key that is shown. Raises `Unauthenticated` when there is none."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not shown:
        raise Unauthenticated(Unauthenticated.MISSING)
    return shown


def _key(request: Request) -> bytes:
    runtime_key = request.app.state.settings.runtime_key
    return runtime_key.get_secret_value().encode() if runtime_key else b""


def _is_signed(shown: str, runtime_key: bytes) -> bool:
    content, _, signature = shown.partition(".")
    ours = _signature(runtime_key, content)
    return bool(runtime_key) and hmac.compare_digest(signature.encode(), ours.encode())


def _signature(runtime_key: bytes, content: str) -> str:
    digest = hmac.digest(runtime_key, PURPOSE + content.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
