"""App WHOIS: who holds an address or a domain, asked of a WHOIS server (RFC 3912)."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from asyncwhois.errors import GeneralError, NotFoundError
from asyncwhois.parse import IPBaseKeys, TLDBaseKeys
from asyncwhois.parse_rir import (
    AFRINICParser,
    APNICParser,
    ARINParser,
    LACNICParser,
    RIPEParser,
    RIRParser,
)
from asyncwhois.parse_tld import DomainParser
from asyncwhois.query import DomainQuery, NumberQuery, Query
from pydantic import BaseModel, Field
from tldextract import TLDExtract

from flows import ActionFailure, ActionResult, Asset, action

LARGEST_ANSWER = 256 * 1024
"""In bytes. Real answers have a few thousand; what sends more is not a WHOIS server."""
PIECE = 16 * 1024
"""In bytes: how much of an answer is read at a time."""

Facts = dict[str, Any]


class Settings(BaseModel):
    """Settings of an asset of this app."""

    host: str | None = None
    """The one server to ask. Without it the registry in charge is asked and referrals followed."""
    port: int = Field(default=43, ge=1, le=65535)
    timeout_seconds: float = Field(default=10.0, gt=0, le=600)
    """For one server, from connecting to the last byte of its answer."""


class _Connection(Query):
    """How a query reaches a server: on the asset's port, in bounded time, for a bounded answer."""

    def follow(self, settings: Settings) -> None:
        """Take over `settings` for this query alone; the class serves other assets too."""
        self.whois_port = settings.port
        self.timeout = settings.timeout_seconds  # type: ignore[assignment]  # any number will do
        self.find_authoritative_server = not settings.host
        self.server_asked = ""

    @contextmanager
    def _create_connection(
        self, address: tuple[str, int], proxy_url: str | None = None
    ) -> Generator[socket.socket, None, None]:
        self.server_asked = f"{address[0]}:{address[1]}"
        self._deadline = time.monotonic() + self.timeout
        with super()._create_connection(address, proxy_url) as connection:
            yield connection

    def _send_and_recv(self, conn: socket.socket, data: str) -> str:  # type: ignore[override]
        # The library's own gives each piece the whole time again, and cuts letters in two.
        conn.sendall(data.encode())
        answer = bytearray()
        while piece := self._receive(conn):
            answer += piece
            if len(answer) > LARGEST_ANSWER:
                raise ActionFailure(
                    f"The WHOIS server {self.server_asked} sent more than {LARGEST_ANSWER} bytes"
                )
        text = answer.decode("utf-8", errors="replace")
        return text.replace("\r\n", "\n").replace("\0", "")  # PostgreSQL keeps no NUL in texts

    def _receive(self, conn: socket.socket) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        conn.settimeout(left)
        return conn.recv(PIECE)


class _NumberQuery(_Connection, NumberQuery):
    pass


class _DomainQuery(_Connection, DomainQuery):
    pass


def _own(parser: type[RIRParser]) -> RIRParser:
    """Make a parser with expressions of its own.

    The library keeps one dictionary for all registries, which each parser that is made rewrites:
    after an answer of RIPE, those of ARIN would be read by RIPE's expressions.
    """
    own: type[RIRParser] = type(
        parser.__name__, (parser,), {"reg_expressions": dict(RIRParser.reg_expressions)}
    )
    return own()


# Registry, how its answers are known, and who reads them. By the answer, not by the address as in
# the library: blocks move between registries, and a server of one's own answers for all.
_REGISTRIES = [
    ("ripe", re.compile(r"^source: *RIPE", re.MULTILINE), _own(RIPEParser)),
    ("apnic", re.compile(r"^source: *APNIC", re.MULTILINE), _own(APNICParser)),
    ("afrinic", re.compile(r"^source: *AFRINIC", re.MULTILINE), _own(AFRINICParser)),
    ("lacnic", re.compile(r"^(inetrev|ownerid): ", re.MULTILINE), _own(LACNICParser)),
    ("arin", re.compile(r"^NetRange: ", re.MULTILINE), _own(ARINParser)),
]


@action("whois ip", app="WHOIS", type="investigate")
def whois_ip(asset: Asset[Settings], ip: str) -> ActionResult:
    """Ask who holds an IP address.

    Args:
        ip: An IPv4 or IPv6 address.
        asset: Names the WHOIS server; see `Settings`.

    Raises:
        ActionFailure: when `ip` is no address, the server gave no answer, or knows of no holder.

    """
    try:
        # A zone, as in fe80::1%eth0, means nothing to a server, and may hold any characters.
        address = ipaddress.ip_address(ip.strip().partition("%")[0])
    except ValueError:
        raise ActionFailure(f'"{ip}" is not an IP address') from None
    answers = _ask(_NumberQuery(), address, asset)
    registry, facts = _read(answers[-1])
    if not facts:
        raise ActionFailure(f"Nothing found: the WHOIS server has no record of {address}")
    summary = {
        "registry": registry,
        "asn": str(facts.get(IPBaseKeys.ORIGIN_AS, "")).removeprefix("AS"),
        "country_code": facts.get(IPBaseKeys.ORG_COUNTRY, ""),
    }
    message = _lines(
        ("Registry", registry),
        ("ASN", summary["asn"]),
        ("Country", summary["country_code"]),
        ("Nets", ""),
        ("Range", facts.get(IPBaseKeys.NET_RANGE)),
        ("Address", facts.get(IPBaseKeys.ORG_ADDRESS)),
    )
    return _result(message, facts, answers, summary)


@action("whois domain", app="WHOIS", type="investigate")
def whois_domain(asset: Asset[Settings], domain: str) -> ActionResult:
    """Ask who holds a domain.

    Args:
        domain: A domain, a host in it, or a URL; the registered domain of it is looked up.
        asset: Names the WHOIS server; see `Settings`.

    Raises:
        ActionFailure: when `domain` is no domain, the server gave no answer, or knows no holder.

    """
    registered = _registered(domain)
    answers = _ask(_DomainQuery(), registered, asset)
    try:
        parsed = DomainParser().parse(answers[-1], registered.rpartition(".")[2])
    except NotFoundError:
        parsed = {}
    facts = _plain(parsed)
    if not facts:
        raise ActionFailure(f"Nothing found: the WHOIS server has no record of {registered}")
    summary = {
        "organization": facts.get(TLDBaseKeys.REGISTRANT_ORGANIZATION, ""),
        "city": facts.get(TLDBaseKeys.REGISTRANT_CITY, ""),
        "country": facts.get(TLDBaseKeys.REGISTRANT_COUNTRY, ""),
    }
    message = _lines(
        ("Organization", summary["organization"]),
        ("Domain", str(facts.get(TLDBaseKeys.DOMAIN_NAME, registered)).lower()),
        ("City", summary["city"]),
        ("Name", facts.get(TLDBaseKeys.REGISTRANT_NAME)),
        ("Country", summary["country"]),
    )
    return _result(message, facts, answers, summary)


def _ask(query: _NumberQuery | _DomainQuery, term: Any, asset: Asset[Settings]) -> list[str]:  # noqa: ANN401
    """Return the answers of the servers asked, the most authoritative one last."""
    settings = asset.settings
    query.follow(settings)
    try:
        return query.run(term, settings.host)
    except TimeoutError:
        raise ActionFailure(
            f"The WHOIS server {query.server_asked} did not answer within "
            f"{settings.timeout_seconds:g} seconds"
        ) from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        reason = getattr(error, "strerror", None) or str(error)
        raise ActionFailure(
            f"The WHOIS server {query.server_asked} cannot be reached: {reason}"
        ) from error
    except GeneralError:
        raise ActionFailure(f"No WHOIS server is in charge of {term}") from None


@functools.cache
def _extract() -> TLDExtract:
    # The suffix list that comes with the library: no download, nothing written. Read once, lazily.
    return TLDExtract(cache_dir=None, suffix_list_urls=())


def _registered(domain: str) -> str:
    """Return the registered domain in `domain`, as it goes over the wire."""
    found = _extract()(domain.strip()).top_domain_under_public_suffix
    try:
        wire = found.encode("idna").decode().lower()
    except UnicodeError:
        wire = ""
    # Nothing else may reach the server: a line break would be a second query.
    if not re.fullmatch(r"([a-z0-9-]+\.)+[a-z0-9-]+", wire):
        raise ActionFailure(f'"{domain}" is not a domain name')
    return wire


def _read(answer: str) -> tuple[str, Facts]:
    """Return the registry that the answer comes from, and what it says; no facts when unknown."""
    for registry, mark, parser in _REGISTRIES:
        if mark.search(answer):
            return registry, _plain(parser.parse(answer))
    return "", {}


def _plain(parsed: dict[Any, Any]) -> Facts:
    """Return what the answer held, in values that JSON knows; absent facts are left out."""
    return {
        key.value: value.isoformat() if isinstance(value, datetime) else value
        for key, value in parsed.items()
        if value
    }


def _lines(*facts: tuple[str, str | None]) -> str:
    """Return a line for each fact that is known; ``Nets`` is the headline of those after it."""
    return "\n".join(
        f"{name}: {value}".rstrip() for name, value in facts if value or name == "Nets"
    )


def _result(
    message: str, facts: Facts, answers: list[str], summary: dict[str, Any]
) -> ActionResult:
    return ActionResult(
        message=message, data=[{**facts, "raw": "\n".join(answers)}], summary=summary
    )
