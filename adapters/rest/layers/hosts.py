"""Refuses requests for a name that is not this gateway's.

A page elsewhere can have its own name lead to 127.0.0.1 (DNS rebinding): the browser then takes a
gateway on this machine for the page's own server. It still asks for the page's name.
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Collection
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import UnknownHost

HOST = re.compile(
    r"(?:\[(?P<address>[0-9A-Fa-f:.]+)(?:%[\w.~-]+)?\]|(?P<name>[^\s\[\]:/?#@]*))(?::\d*)?",
    re.ASCII,
)

REMEMBERED = 1024
"""How many names are judged once only."""
LONGEST = len(".:65535") + 253
"""Characters of a name, with a port; a longer one is nobody's."""


class Hosts:
    """Raises `UnknownHost` for names that are not in `names`. Addresses and any port are right."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self.names = frozenset(names)
        # Callers ask by the same name again and again.
        self._is_ours = functools.lru_cache(REMEMBERED)(self._is_one_of_ours)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request if every host that it asks for is ours, or it asks for none."""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"host":
                    self._require(value)
            if "forwarded_host" in scope:  # what a trusted proxy was asked by (see `Proxies`)
                self._require(scope["forwarded_host"].encode("latin-1", "replace"))
        await self.app(scope, receive, send)

    def _require(self, host: bytes) -> None:
        if len(host) > LONGEST or not self._is_ours(host):
            raise UnknownHost(host.decode("latin-1").strip())

    def _is_one_of_ours(self, host: bytes) -> bool:
        found = HOST.fullmatch(host.decode("latin-1").strip())
        if found is None:
            return False
        name = found["address"] or found["name"].rstrip(".").lower()
        return name in self.names or name.endswith(".localhost") or not name or _is_address(name)


def _is_address(name: str) -> bool:
    """Also as ``127.1`` and the like, which nobody can have for a name."""
    try:
        if ":" not in name:
            socket.inet_aton(name)
        else:
            ip_address(name)
    except (OSError, ValueError):
        return False
    return True
