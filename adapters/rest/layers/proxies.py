"""Whom a proxy speaks for. Only proxies that the settings name are believed."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.rest.request.address import address_of, parse
from prefect_phantom.adapters.store.accounts.users import Address, Network


class Proxies:
    """Puts the address and the host that a trusted proxy was asked by and for into the scope.

    ``X-Forwarded-For`` is read from the right: each proxy adds at its end whom it was asked by, so
    the last address that is no trusted proxy's is the caller's, and what stands left of it is only
    the caller's own word. What is no address hides the caller, who is then known by none.
    """

    def __init__(self, app: ASGIApp, networks: Sequence[Network]) -> None:
        self.app = app
        self.networks = tuple(networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request as the caller's own."""
        if scope["type"] == "http" and self._is_trusted(address_of(scope)):
            headers = Headers(scope=scope)
            hops = ",".join(headers.getlist("x-forwarded-for"))
            if hops:
                caller = self._caller(hops)
                scope["client"] = None if caller is None else (str(caller), 0)
            hosts = ",".join(headers.getlist("x-forwarded-host"))
            if hosts:
                scope["forwarded_host"] = hosts.rpartition(",")[2].strip()
        await self.app(scope, receive, send)

    def _caller(self, hops: str) -> Address | None:
        address = None
        for hop in reversed(hops.split(",")):
            address = parse(_without_port(hop.strip()))
            if not self._is_trusted(address):
                break
        return address

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def _without_port(hop: str) -> str:
    """``192.0.2.1:80`` and ``[2001:db8::1]:80`` are what some proxies write."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
