"""App WHOIS: who holds an address or a domain, asked of a WHOIS server (RFC 3912)."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from asyncwhois.errors import GeneralError
from asyncwhois.parse import IPBaseKeys
from asyncwhois.query import DomainQuery, NumberQuery, Query
from pydantic import Field

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.apps._web.networks import NetworkSettings
from prefect_phantom.apps._whois_and_rdap import (
    Domain,
    IpAddress,
    address,
    domain_result,
    lines,
    registered_domain,
)
from prefect_phantom.apps._work.killable import WorkFailed, in_time

APP = "WHOIS"
LARGEST_ANSWER = 256 * 1024
"""In bytes. Real answers have a few thousand; what sends more is not a WHOIS server."""
PIECE = 16 * 1024
"""In bytes: how much of an answer is read at a time."""
WELL_KNOWN = "example.com"
"""Asked for to see whether a server answers; whether it knows it does not matter."""


class Settings(NetworkSettings):
    """Settings of an asset of this app."""

    host: str | None = Field(
        default=None,
        description="The one server to ask. Without it the registry in charge is asked, and the "
        "servers that it refers to",
    )
    port: int = Field(default=43, ge=1, le=65535, description="Port of every server asked")
    timeout_seconds: float = Field(
        default=10.0, gt=0, le=600, description="Seconds for one action, whatever servers it asks"
    )


class _Connection(Query):
    """How a query reaches a server: on the asset's port, in bounded time, for a bounded answer."""

    def follow(self, settings: Settings) -> None:
        """Take over `settings` for this query alone; the class serves other assets too."""
        self.whois_port = settings.port
        self.find_authoritative_server = not settings.host
        self.server_asked = ""
        self._deadline = Deadline(settings.timeout_seconds, settings.networks)
        self._seconds = settings.timeout_seconds

    def read(self, how: str, answer: str, *further: str) -> Any:  # noqa: ANN401 - see there
        """What `_work.whois_answer` reads in an answer, in what is left of the time."""
        try:
            return in_time(
                self._deadline, f"whois_answer.{how}", answer, *further, size=len(answer)
            )
        except TimeoutError:
            raise ActionFailure(
                f"The answer of the WHOIS server {self.server_asked} could not be read within "
                f"{self._seconds:g} seconds"
            ) from None
        except WorkFailed as failure:
            raise ActionFailure(
                f"The answer of the WHOIS server {self.server_asked} cannot be read: {failure}"
            ) from None

    @contextmanager
    def _create_connection(
        self,
        address: tuple[str, int],
        proxy_url: str | None = None,  # noqa: ARG002 - the library's; no setting of ours
    ) -> Generator[socket.socket, None, None]:
        self.server_asked = f"{address[0]}:{address[1]}"
        with self._deadline.connect(*address) as connection:
            yield connection

    def _send_and_recv(self, conn: socket.socket, data: str) -> str:  # type: ignore[override]
        # The library's own gives each piece the whole time again, and cuts letters in two.
        conn.settimeout(self._deadline.left())
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
        conn.settimeout(self._deadline.left())
        return conn.recv(PIECE)


class _NumberQuery(_Connection, NumberQuery):
    pass


class _DomainQuery(_Connection, DomainQuery):
    pass


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Ask the server for a well-known domain; any answer will do.

    Neither data nor summary.
    """
    query = _DomainQuery()
    _ask(query, WELL_KNOWN, asset.settings)
    return ActionResult(message=f"The WHOIS server {query.server_asked} answers")


@action("whois ip", app=APP, type="investigate")
def whois_ip(asset: Asset[Settings], ip: IpAddress) -> ActionResult:
    """Ask who holds an IP address.

    One row of data: the facts of the answer by name, such as ``org_name`` and ``net_range``, and
    the answers themselves as ``raw``. Summary: ``registry``, ``asn``, ``country_code``.

    Raises:
        ActionFailure: `ip` is no address, the server gave no answer, or knows of no holder.

    """
    asked = address(ip)
    query = _NumberQuery()
    answers = _ask(query, asked, asset.settings)
    registry, found = query.read("read_network", answers[-1])
    if not found:
        raise ActionFailure(f"Nothing found: the WHOIS server has no record of {asked}")
    summary = {
        "registry": registry,
        "asn": str(found.get(IPBaseKeys.ORIGIN_AS, "")).removeprefix("AS"),
        "country_code": found.get(IPBaseKeys.ORG_COUNTRY, ""),
    }
    message = lines(
        ("Registry", registry),
        ("ASN", summary["asn"]),
        ("Country", summary["country_code"]),
        ("Nets", ""),
        ("Range", found.get(IPBaseKeys.NET_RANGE)),
        ("Address", found.get(IPBaseKeys.ORG_ADDRESS)),
    )
    data = [{**found, "raw": "\n".join(answers)}]
    return ActionResult(message=message, data=data, summary=summary)


@action("whois domain", app=APP, type="investigate")
def whois_domain(asset: Asset[Settings], domain: Domain) -> ActionResult:
    """Ask who holds a domain.

    One row of data: the facts of the answer by name, such as ``registrar`` and ``created``, and
    the answers themselves as ``raw``. Summary: ``organization``, ``city``, ``country``.

    Raises:
        ActionFailure: `domain` is no domain, the server gave no answer, or knows no holder.

    """
    registered = registered_domain(domain)
    query = _DomainQuery()
    answers = _ask(query, registered, asset.settings)
    found = query.read("read_domain", answers[-1], registered.rpartition(".")[2])
    if not found:
        raise ActionFailure(f"Nothing found: the WHOIS server has no record of {registered}")
    return domain_result(registered, found, "\n".join(answers))


def _ask(query: _NumberQuery | _DomainQuery, term: Any, settings: Settings) -> list[str]:  # noqa: ANN401
    """Return the answers of the servers asked, the most authoritative one last."""
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
