"""Where a request comes from, as an address that can be compared with networks."""

from __future__ import annotations

import functools
from ipaddress import IPv6Address, ip_address

from starlette.types import Scope

from prefect_phantom.adapters.store.accounts.users import Address

LONGEST = 100
"""Characters of an address, with its zone."""


def address_of(scope: Scope) -> Address | None:
    """The caller's address, as a trusted proxy says it (see `Proxies`); None when nobody can say.

    One of IPv4 that came in the clothes of IPv6 is itself again, so that no network misses it.
    """
    client = scope.get("client")
    return None if client is None else parse(client[0])


def parse(text: str) -> Address | None:
    """The address that `text` is, if it is one."""
    return _parsed(text) if len(text) <= LONGEST else None


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
