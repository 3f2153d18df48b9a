"""What WHOIS and RDAP have in common: what can be asked for, and how an answer is told."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Annotated, Any

from asyncwhois.parse import TLDBaseKeys
from pydantic import Field
from tldextract import TLDExtract

from prefect_phantom import ActionFailure, ActionResult

Facts = dict[str, Any]
IpAddress = Annotated[str, Field(description="An IPv4 or IPv6 address")]
LONGEST = 10_000
"""In characters: a URL may stand for its domain."""
Domain = Annotated[
    str,
    Field(description="A domain, a host in it, or a URL; its registered domain is looked up"),
]


def address(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address in `ip`. Raises `ActionFailure` when it is none."""
    try:
        # A zone, as in fe80::1%eth0, means nothing to a server, and may hold any characters.
        return ipaddress.ip_address(ip.strip().partition("%")[0])
    except ValueError:
        raise ActionFailure(f'"{ip}" is not an IP address') from None


def registered_domain(domain: str) -> str:
    """The registered domain in `domain`, as it goes over the wire.

    Raises:
        ActionFailure: there is none in it.

    """
    if len(domain) > LONGEST:
        raise ActionFailure(f'"{domain[:50]}..." is not a domain name')
    found = _extract()(domain.strip()).top_domain_under_public_suffix
    try:
        wire = found.encode("idna").decode().lower()
    except UnicodeError:
        wire = ""
    # Nothing else may reach the server: a line break would be a second query.
    if not re.fullmatch(r"([a-z0-9-]+\.)+[a-z0-9-]+", wire):
        raise ActionFailure(f'"{domain}" is not a domain name')
    return wire


@functools.cache
def _extract() -> TLDExtract:
    # The suffix list that comes with the library: no download, nothing written. Read once, lazily.
    return TLDExtract(cache_dir=None, suffix_list_urls=())


def lines(*told: tuple[str, str | None]) -> str:
    """A line for each fact that is known; ``Nets`` is the headline of those after it."""
    return "\n".join(f"{name}: {value}".rstrip() for name, value in told if value or name == "Nets")


def domain_result(registered: str, found: Facts, raw: str | Facts) -> ActionResult:
    """What is told about a domain: its facts with what the servers said as ``raw``."""
    summary = {
        "organization": found.get(TLDBaseKeys.REGISTRANT_ORGANIZATION, ""),
        "city": found.get(TLDBaseKeys.REGISTRANT_CITY, ""),
        "country": found.get(TLDBaseKeys.REGISTRANT_COUNTRY, ""),
    }
    message = lines(
        ("Organization", summary["organization"]),
        ("Domain", str(found.get(TLDBaseKeys.DOMAIN_NAME, registered)).lower()),
        ("City", summary["city"]),
        ("Name", found.get(TLDBaseKeys.REGISTRANT_NAME)),
        ("Country", summary["country"]),
    )
    return ActionResult(message=message, data=[{**found, "raw": raw}], summary=summary)
