"""Settings of the HTTP client that both kinds of `Phantom` share."""

from __future__ import annotations

import ssl
from typing import TypedDict

import httpx


class Options(TypedDict):
    """Keyword arguments for `httpx.Client` and `httpx.AsyncClient`."""

    base_url: str
    headers: dict[str, str]
    auth: httpx.Auth | None
    verify: bool | ssl.SSLContext
    timeout: float


def options(
    url: str,
    token: str | None,
    username: str | None,
    password: str | None,
    verify: bool | str | ssl.SSLContext,
    timeout: float,
) -> Options:
    """Build them.

    Raises:
        ValueError: neither a token nor a user with a password is given, or both are.
        OSError: the file `verify` cannot be read.
    """
    by_password = username is not None and password is not None
    if by_password == (token is not None):
        raise ValueError("Give either a token, or a username and a password")
    return Options(
        base_url=url,
        headers={} if token is None else {"ph-auth-token": token},
        auth=httpx.BasicAuth(username or "", password or "") if by_password else None,
        verify=ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify,
        timeout=timeout,
    )
