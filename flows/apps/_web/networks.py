"""Which addresses an action may connect to: the asset's networks, and where servers lead."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from pydantic import Field, IPvAnyNetwork

from prefect_phantom.apps._web.settings import AppSettings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK, LINK_LOCAL, PRIVATE, PUBLIC = range(4)
KINDS = ("loopback", "link-local", "private", "public")
"""Kinds of addresses, from near to far."""
_EXAMPLES = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"),
    )
)
"""Networks of documents and tests: as far away as any public one."""
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""Addresses of IPv6 that end with one of IPv4, which they lead to."""


class NetworkSettings(AppSettings):
    """Settings of every app that connects to servers."""

    networks: list[IPvAnyNetwork] | None = Field(
        default=None,
        min_length=1,
        description="The only networks that it may connect to, such as `192.0.2.0/24`; without "
        "it any",
    )


class AddressRefused(OSError):
    """An address that an action may not connect to."""


class Reach:
    """Where the connections of one action may go, in their order.

    A later one goes where a server said, by a redirect or a referral. That leads to no address
    that is nearer than those before: a public server must not have us ask what only we can reach.
    """

    def __init__(self, networks: Sequence[Network] | None = None) -> None:
        self._networks = networks
        self._farthest = LOOPBACK

    def check(self, host: str) -> None:
        """Raise `AddressRefused` if no connection may go to this address."""
        address = ipaddress.ip_address(host)
        mapped = getattr(address, "ipv4_mapped", None) or address
        if self._networks is not None and not any(
            mapped in network or address in network for network in self._networks
        ):
            raise AddressRefused(f"{host} is in none of the asset's networks")
        kind = kind_of(address)
        if kind < self._farthest:
            raise AddressRefused(
                f"a server at a {KINDS[self._farthest]} address leads to {host}, "
                f"a {KINDS[kind]} address"
            )

    def reached(self, host: str) -> None:
        """Note that there is a connection to this address."""
        self._farthest = max(self._farthest, kind_of(ipaddress.ip_address(host)))


def kind_of(address: Address) -> int:
    """How near an address is: one of `LOOPBACK`, `LINK_LOCAL`, `PRIVATE` and `PUBLIC`."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and any(address in network for network in _TRANSLATED):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not address.is_loopback:
            return kind_of(inner)
    if address.is_loopback or address.is_unspecified:
        return LOOPBACK
    if address.is_link_local:
        return LINK_LOCAL
    if any(address in network for network in _EXAMPLES):
        return PUBLIC
    return PUBLIC if address.is_global and not address.is_multicast else PRIVATE
