from __future__ import annotations

import ipaddress
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import whois
from prefect_phantom.apps._web import networks as _networks
from prefect_phantom.apps._web.networks import PUBLIC, kind_of
from prefect_phantom.apps.whois import Settings, whois_domain, whois_ip

ARIN = """\
NetRange:       134.170.0.0 - 134.170.255.255
CIDR:           134.170.0.0/16
NetName:        MICROSOFT
OriginAS:       AS8075
Organization:   Microsoft Corporation (MSFT)
RegDate:        1997-03-31
Updated:        2021-12-14

OrgName:        Microsoft Corporation
OrgId:          MSFT
Address:        One Microsoft Way
City:           Redmond
Country:        US
RegDate:        1998-07-10
Updated:        2024-03-18

ReferralServer: whois://whois.invalid
"""

RIPE = """\
% This is the RIPE Database query service.

inetnum:        193.0.0.0 - 193.0.7.255
netname:        RIPE-NCC
country:        NL
address:        Stationsplein 11
created:        2003-03-17T12:15:57Z
last-modified:  2017-12-04T14:42:31Z
source:         RIPE

route:          193.0.0.0/21
origin:         AS3333
source:         RIPE
"""

VERISIGN = """\
   Domain Name: AMAZON.COM
   Registrar WHOIS Server: whois.invalid
   Creation Date: 1994-11-01T05:00:00Z
   Registrar: MarkMonitor Inc.
   Domain Status: clientDeleteProhibited
   Domain Status: clientTransferProhibited
   Registrant Name: Hostmaster, Amazon Legal Dept.
   Registrant Organization: Amazon Technologies, Inc.
   Registrant City: Reno
   Registrant Country: US
"""


@dataclass
class Responder:
    """A WHOIS server on loopback."""

    port: int
    queries: list[str] = field(default_factory=list)

    def asset(self, name: str = "whois", **settings: Any) -> Asset[Settings]:
        given = {"host": "127.0.0.1", "port": self.port, **settings}
        return Asset(id=1, name=name, app="WHOIS", settings=Settings(**given))


@contextmanager
def responder(
    respond: Callable[[StreamRequestHandler], object], address: str = "127.0.0.1"
) -> Iterator[Responder]:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            found.queries.append(self.rfile.readline().decode())
            respond(self)

    class Server(ThreadingTCPServer):
        daemon_threads = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the client may hang up first

    server = Server((address, 0), Handler)
    found = Responder(server.socket.getsockname()[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(text: str) -> Callable[[StreamRequestHandler], object]:
    return lambda handler: handler.wfile.write(text.replace("\n", "\r\n").encode())


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_address_is_told_in_the_vendors_shape() -> None:
    with responder(answering(ARIN)) as server:
        result = whois_ip.function(server.asset(), "134.170.1.1")
    assert result.message == (
        "Registry: arin\nASN: 8075\nCountry: US\nNets:\n"
        "Range: 134.170.0.0 - 134.170.255.255\nAddress: One Microsoft Way"
    )
    assert result.summary == {"registry": "arin", "asn": "8075", "country_code": "US"}
    assert result.data[0]["org_name"] == "Microsoft Corporation"
    assert result.data[0]["registered_date"] == "1997-03-31T00:00:00"
    assert result.data[0]["raw"] == ARIN
    assert json.loads(json.dumps(result.data)) == result.data
    assert server.queries == ["134.170.1.1\r\n"]


def test_a_domain_is_told_in_the_vendors_shape() -> None:
    with responder(answering(VERISIGN)) as server:
        result = whois_domain.function(server.asset(), "amazon.com")
    assert result.message == (
        "Organization: Amazon Technologies, Inc.\nDomain: amazon.com\nCity: Reno\n"
        "Name: Hostmaster, Amazon Legal Dept.\nCountry: US"
    )
    assert result.summary == {
        "organization": "Amazon Technologies, Inc.",
        "city": "Reno",
        "country": "US",
    }
    assert result.data[0]["created"] == "1994-11-01T05:00:00+00:00"
    assert result.data[0]["status"] == ["clientDeleteProhibited", "clientTransferProhibited"]
    assert json.loads(json.dumps(result.data)) == result.data


def test_a_long_answer_is_read_as_a_short_one() -> None:
    found = []
    for comments in ("", "% nothing\n" * 2_000):
        for look, term, answer in (
            (whois_ip, "134.170.1.1", ARIN),
            (whois_domain, "amazon.com", VERISIGN),
        ):
            with responder(answering(answer + comments)) as server:
                (row,) = look.function(server.asset(), term).data
            assert row.pop("raw") == answer + comments
            found.append(row)
    assert found[:2] == found[2:]


def test_lines_that_the_answer_lacks_are_left_out() -> None:
    with responder(answering("Domain Name: AMAZON.COM\nRegistrant Country: US\n")) as server:
        result = whois_domain.function(server.asset(), "amazon.com")
    assert result.message == "Domain: amazon.com\nCountry: US"


def test_the_registry_is_known_by_its_answer_and_leaves_the_next_one_unspoilt() -> None:
    with responder(answering(RIPE)) as ripe, responder(answering(ARIN)) as arin:
        # An address of ARIN's range, answered by RIPE, and then the other way round.
        first = whois_ip.function(ripe.asset(), "134.170.1.1")
        second = whois_ip.function(arin.asset(), "193.0.0.1")
    assert first.message == (
        "Registry: ripe\nASN: 3333\nCountry: NL\nNets:\n"
        "Range: 193.0.0.0 - 193.0.7.255\nAddress: Stationsplein 11"
    )
    assert second.summary == {"registry": "arin", "asn": "8075", "country_code": "US"}


@pytest.mark.parametrize("address", ["10.0.0.1", "224.0.0.1", "2001:db8::1", "fe80::1%eth0\r\nx"])
def test_addresses_outside_every_registry_can_be_asked_of_a_set_server(address: str) -> None:
    with responder(answering(ARIN)) as server:
        whois_ip.function(server.asset(), address)
    assert server.queries == [address.partition("%")[0] + "\r\n"]


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("www.amazon.com", "amazon.com"),
        ("https://www.Amazon.co.uk/gp?x=1", "amazon.co.uk"),
        ("münchen.de.", "xn--mnchen-3ya.de"),
    ],
)
def test_the_registered_domain_is_asked_for(value: str, asked: str) -> None:
    with responder(answering(VERISIGN)) as server:
        whois_domain.function(server.asset(), value)
    assert server.queries == [f"{asked}\r\n"]


def test_without_a_host_the_registrys_referral_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([b"Registrar WHOIS Server: localhost\n", b"Domain Name: EXAMPLE.COM\n"])
    monkeypatch.setattr(whois._DomainQuery, "_get_server_name", lambda *_: "127.0.0.1")
    with responder(lambda handler: handler.wfile.write(next(answers))) as server:
        result = whois_domain.function(server.asset(host=None), "example.com")
    assert result.message == "Domain: example.com"
    assert result.data[0]["raw"].startswith("Registrar WHOIS Server: localhost\n")
    assert server.queries == ["example.com\r\n"] * 2


@pytest.mark.attack(
    "a public WHOIS server refers to an address that only we can reach, or that the asset does not "
    "name",
    "no connection is made",
)
@pytest.mark.parametrize(
    ("networks", "told"),
    [
        (None, "a server at a public address leads to 127.0.0.1, a loopback address"),
        (["127.0.0.2/32"], "127.0.0.1 is in none of the asset's networks"),
    ],
)
def test_a_referral_leads_to_no_nearer_server(
    networks: list[str] | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = ipaddress.ip_address("127.0.0.2")
    monkeypatch.setattr(_networks, "kind_of", lambda it: PUBLIC if it == far else kind_of(it))
    monkeypatch.setattr(whois._DomainQuery, "_get_server_name", lambda *_: "127.0.0.2")
    refer = answering("Registrar WHOIS Server: 127.0.0.1\n")
    with responder(refer, "0.0.0.0") as server, pytest.raises(ActionFailure) as failure:
        whois_domain.function(server.asset(host=None, networks=networks), "example.com")
    assert str(failure.value) == (
        f"The WHOIS server 127.0.0.1:{server.port} cannot be reached: {told}"
    )
    assert server.queries == ["example.com\r\n"]


def test_an_address_that_no_registry_is_in_charge_of_needs_a_host() -> None:
    with pytest.raises(ActionFailure, match=r"^No WHOIS server is in charge of 10\.0\.0\.1$"):
        whois_ip.function(Asset(1, "whois", "WHOIS", Settings()), "10.0.0.1")


def test_nothing_found_is_a_failure_that_says_so() -> None:
    with responder(answering('No match for "X".\n')) as server:
        with pytest.raises(ActionFailure, match=r"Nothing found: .* no record of 192\.0\.2\.1$"):
            whois_ip.function(server.asset(), "192.0.2.1")
        with pytest.raises(ActionFailure, match=r"Nothing found: .* no record of example\.com$"):
            whois_domain.function(server.asset(), "example.com")


@pytest.mark.parametrize("value", ["", "1.2.3", "example.com", "1.2.3.4.5", "1.2.3.4\r\nx"])
def test_what_is_not_an_address_is_not_asked(value: str) -> None:
    with responder(answering(ARIN)) as server, pytest.raises(ActionFailure) as failure:
        whois_ip.function(server.asset(), value)
    assert str(failure.value) == f'"{value}" is not an IP address'
    assert server.queries == []


@pytest.mark.parametrize(
    "value", ["", "localhost", "192.0.2.1", "a b.com", "a.com\r\nb.com", "com", "x" * 64 + ".com"]
)
def test_what_is_not_a_domain_is_not_asked(value: str) -> None:
    with responder(answering(VERISIGN)) as server, pytest.raises(ActionFailure) as failure:
        whois_domain.function(server.asset(), value)
    assert str(failure.value) == f'"{value}" is not a domain name'
    assert server.queries == []


def test_a_refused_connection_names_the_server() -> None:
    port = unused_port()
    asset = Responder(port).asset()
    with pytest.raises(ActionFailure) as failure:
        whois_ip.function(asset, "192.0.2.1")
    assert str(failure.value) == (
        f"The WHOIS server 127.0.0.1:{port} cannot be reached: Connection refused"
    )


def test_a_host_that_cannot_be_one_names_the_server() -> None:
    asset = Responder(43).asset(host="a..b")
    with pytest.raises(ActionFailure, match=r"^The WHOIS server a\.\.b:43 cannot be reached: "):
        whois_ip.function(asset, "192.0.2.1")


def test_a_silent_server_runs_into_the_time_out() -> None:
    over = threading.Event()
    with responder(lambda _: over.wait()) as server, ExitStack() as stack:
        stack.callback(over.set)
        with pytest.raises(ActionFailure) as failure:
            whois_domain.function(server.asset(timeout_seconds=0.2), "example.com")
    assert str(failure.value) == (
        f"The WHOIS server 127.0.0.1:{server.port} did not answer within 0.2 seconds"
    )


def test_a_server_that_drips_runs_into_the_same_time_out() -> None:
    over = threading.Event()

    def drip(handler: StreamRequestHandler) -> None:
        while not over.wait(0.02):
            handler.wfile.write(b"x")

    with responder(drip) as server, ExitStack() as stack:
        stack.callback(over.set)
        with pytest.raises(ActionFailure, match=r"did not answer within 0\.3 seconds"):
            whois_ip.function(server.asset(timeout_seconds=0.3), "192.0.2.1")


def test_an_answer_without_end_is_cut_off() -> None:
    def pour(handler: StreamRequestHandler) -> None:
        while True:
            handler.wfile.write(b"x" * whois.PIECE)

    with responder(pour) as server, pytest.raises(ActionFailure, match="sent more than 262144"):
        whois_ip.function(server.asset(), "192.0.2.1")


@pytest.mark.attack(
    "an answer of a WHOIS server that its reader is busy with for minutes",
    "given up when the asset's time is over",
)
def test_an_answer_that_takes_too_long_to_read_is_given_up() -> None:
    with responder(lambda it: it.wfile.write(b"\n" * 250_000)) as server:
        with pytest.raises(ActionFailure) as failure:
            whois_domain.function(server.asset(timeout_seconds=1), "example.hk")
        assert str(failure.value) == (
            f"The answer of the WHOIS server 127.0.0.1:{server.port} could not be read within "
            "1 seconds"
        )


def test_letters_cut_in_two_on_the_way_arrive_whole() -> None:
    def in_two(handler: StreamRequestHandler) -> None:
        text = "Domain Name: EXAMPLE.COM\nRegistrant City: München\n".encode()
        middle = text.index(b"\xc3") + 1
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handler.wfile.write(text[:middle])
        handler.wfile.write(text[middle:])

    with responder(in_two) as server:
        result = whois_domain.function(server.asset(), "example.com")
    assert result.summary["city"] == "München"


@pytest.mark.parametrize("settings", [{"port": 0}, {"port": "x"}, {"timeout_seconds": 0}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**settings)


def test_the_time_holds_for_all_servers_together(monkeypatch: pytest.MonkeyPatch) -> None:
    refer = b"Registrar WHOIS Server: localhost\n"
    monkeypatch.setattr(whois._DomainQuery, "_get_server_name", lambda *_: "127.0.0.1")
    over = threading.Event()

    def slow(handler: StreamRequestHandler) -> None:
        over.wait(0.7)  # each in time by itself, and the second one after it
        handler.wfile.write(refer)

    with responder(slow) as server, pytest.raises(ActionFailure) as failure:
        whois_domain.function(server.asset(host=None, timeout_seconds=1.2), "example.com")
    assert str(failure.value) == (
        f"The WHOIS server localhost:{server.port} did not answer within 1.2 seconds"
    )


def test_connectivity_is_tested_by_any_answer() -> None:
    with responder(answering("No match\n")) as server:
        result = whois.test_connectivity.function(server.asset())
    assert result.message == f"The WHOIS server 127.0.0.1:{server.port} answers"
    assert server.queries == ["example.com\r\n"]


def test_two_assets_on_different_ports_do_not_disturb_each_other() -> None:
    both_asked = threading.Barrier(2)

    def respond(country: str) -> Callable[[StreamRequestHandler], object]:
        def respond(handler: StreamRequestHandler) -> None:
            both_asked.wait(timeout=10)  # neither is answered before both have asked
            answering(f"NetRange: 192.0.2.0 - 192.0.2.255\nCountry: {country}\n")(handler)

        return respond

    with (
        responder(respond("US")) as one,
        responder(respond("NL")) as other,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(whois_ip.function, one.asset("one"), "192.0.2.1")
        second = pool.submit(whois_ip.function, other.asset("other"), "192.0.2.2")
        countries = [each.result().summary["country_code"] for each in (first, second)]
    assert countries == ["US", "NL"]
    assert (one.queries, other.queries) == (["192.0.2.1\r\n"], ["192.0.2.2\r\n"])
