"""Who is calling: the spellings of credentials that callers of the contract use.

- ``ph-auth-token: <token>`` (vendor's page)
- ``Authorization: Basic`` with user and password, or with an empty user and a token (vendor's page)
- ``Authorization: Bearer <token>`` and ``Authorization: ph-auth-token <token>`` (sent in the wild;
  our decision to accept them)
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import ForbiddenAddress, TokenOnDelete, Unauthenticated
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.request.address import address_of
from prefect_phantom.adapters.store.accounts.served_request import SERVING
from prefect_phantom.adapters.store.accounts.users import Address, User

PROTECTED = "/rest"
TOKEN_SCHEMES = frozenset({"bearer", "ph-auth-token"})


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """The token of an automation user."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Password:
    """A user's name and password."""

    username: str
    password: str


class Authentication:
    """Puts the `User` who calls into the scope, for every path of the contract.

    It stands before the routes: who has no credentials does not learn which paths exist.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request of a known user.

        Raises `Unauthenticated`, `ForbiddenAddress`, `TooMany` and `TokenOnDelete`.
        """
        if scope["type"] == "http" and is_protected(scope["path"]):
            request = Request(scope)
            gateway = Gateway.of(request)
            credentials = read_credentials(request.headers)
            address = address_of(scope)
            user = scope["user"] = await _user(gateway, credentials, address)
            if (served := SERVING.get()) is not None:
                served.user_id = user.id
            if not user.may_call_from(address):
                raise ForbiddenAddress(user.username, None if address is None else str(address))
            gateway.rates.spend((user.id, user.token_id))
            # Vendor's page: only a user's password allows DELETE. The code is recorded.
            by_token = isinstance(credentials, Token)
            if request.method == "DELETE" and by_token and not _deletable(scope["path"]):
                raise TokenOnDelete
        await self.app(scope, receive, send)


def read_credentials(headers: Headers) -> Token | Password:
    """The credentials in `headers`; ``ph-auth-token`` comes first (our decision).

    Raises `Unauthenticated` when there are none that are understood.
    """
    token = headers.get("ph-auth-token")
    if token is not None:
        return Token(token.strip())
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() in TOKEN_SCHEMES and value.strip():
        return Token(value.strip())
    if scheme.lower() == "basic":
        return _basic(value.strip())
    raise Unauthenticated(Unauthenticated.MISSING)


def _basic(value: str) -> Token | Password:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated(Unauthenticated.MISSING) from error
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")  # what older clients send for names like "José"
    username, colon, password = text.partition(":")
    if not colon:
        raise Unauthenticated(Unauthenticated.MISSING)
    return Password(username, password) if username else Token(password)


async def _user(gateway: Gateway, credentials: Token | Password, address: Address | None) -> User:
    known = gateway.credentials
    if isinstance(credentials, Token):
        return await known.user_of_token(credentials.text, address)
    return await known.user_of_password(credentials.username, credentials.password, address)


def _deletable(path: str) -> bool:
    """Whether automation tokens may delete it: custom lists alone (vendor's documentation)."""
    return path.startswith("/rest/decided_list/")


def is_protected(path: str) -> bool:
    """Whether a path is one of the contract, for which somebody has to be known."""
    return path == PROTECTED or path.startswith(f"{PROTECTED}/")
