"""App DNS, against a server on loopback that speaks DNS by UDP and TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn, UDPServer
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import dns as app
from prefect_phantom.apps.dns import Settings, lookup_domain, lookup_ip

ZONE = [
    dns.rrset.from_text("example.com.", 60, "IN", "A", "192.0.2.1", "192.0.2.2"),
    dns.rrset.from_text("example.com.", 60, "IN", "TXT", '"v=spf1 -all"'),
    dns.rrset.from_text("example.com.", 60, "IN", "MX", "10 mail.example.com."),
    dns.rrset.from_text("www.example.com.", 60, "IN", "CNAME", "example.com."),
    dns.rrset.from_text("xn--mnchen-3ya.example.", 60, "IN", "A", "192.0.2.3"),
    dns.rrset.from_text("1.2.0.192.in-addr.arpa.", 60, "IN", "PTR", "a.example.com.", "b.example."),
]
Reply = Callable[[dns.message.Message], dns.message.Message | None]


def answer(query: dns.message.Message) -> dns.message.Message:
    """As a server that is in charge of the zone and of nothing else."""
    reply = dns.message.make_response(query)
    (question,) = query.question
    if question.name.to_text() == "broken.example.":
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply
    here = [rrset for rrset in ZONE if rrset.name == question.name]
    if not here:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    reply.answer = [
        rrset for rrset in here if rrset.rdtype in {question.rdtype, dns.rdatatype.CNAME}
    ]
    if [rrset.rdtype for rrset in reply.answer] == [dns.rdatatype.CNAME]:
        target = reply.answer[0][0].target
        reply.answer += [r for r in ZONE if (r.name, r.rdtype) == (target, question.rdtype)]
    return reply


class ThreadingTCPServer(ThreadingMixIn, TCPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client may hang up first


def on_one_port(udp: type[BaseRequestHandler], tcp: type[BaseRequestHandler]) -> list[Any]:
    """Two servers. A port that is free for UDP may be somebody's for TCP, so it is tried again."""
    for _ in range(20):
        first = UDPServer(("127.0.0.1", 0), udp)
        try:
            return [first, ThreadingTCPServer(first.server_address, tcp)]
        except OSError:
            first.server_close()
    pytest.fail("no port is free for both")


@contextmanager
def serving(
    respond: Reply = answer, tcp: Callable[[socket.socket], None] | None = None
) -> Iterator[int]:
    """The port of a server on loopback; `tcp` speaks to those that come by TCP."""

    class Udp(BaseRequestHandler):
        def handle(self) -> None:
            data, connection = self.request
            reply = respond(dns.message.from_wire(data))
            if reply is not None:
                connection.sendto(reply.to_wire(want_shuffle=False), self.client_address)

    class Tcp(BaseRequestHandler):
        def handle(self) -> None:
            length = int.from_bytes(self.request.recv(2))
            query = dns.message.from_wire(self.request.recv(length))
            if tcp:
                tcp(self.request)
            else:
                wire = answer(query).to_wire(want_shuffle=False)
                self.request.sendall(len(wire).to_bytes(2) + wire)

    servers = on_one_port(Udp, Tcp)
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield int(servers[0].server_address[1])
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def asset(port: int, **settings: Any) -> Asset[Settings]:
    given = {"host": "127.0.0.1", "port": port, "timeout_seconds": 5, **settings}
    return Asset(1, "resolver", "DNS", Settings(**given))


def test_a_domain_is_told_in_the_vendors_shape() -> None:
    with serving() as port:
        result = lookup_domain.function(asset(port), "example.com")
    assert result.message == (
        "Record info: 192.0.2.1, Total record infos: 2, Canonical name: example.com."
    )
    assert result.summary == {
        "record_info": "192.0.2.1",
        "total_record_infos": 2,
        "canonical_name": "example.com.",
        "cannonical_name": "example.com.",
    }
    assert result.data == [
        {
            "record_infos": ["192.0.2.1", "192.0.2.2"],
            "record_info_objects": [{"record_info": "192.0.2.1"}, {"record_info": "192.0.2.2"}],
        }
    ]


@pytest.mark.parametrize(
    ("domain", "kind", "records"),
    [
        ("example.com", "txt", ['"v=spf1 -all"']),
        ("example.com.", "MX", ["10 mail.example.com."]),
        ("www.example.com", "A", ["192.0.2.1", "192.0.2.2"]),
        ("www.example.com", "CNAME", ["example.com."]),
        ("m\u00fcnchen.example", "", ["192.0.2.3"]),
    ],
)
def test_any_kind_of_records_can_be_asked_for(domain: str, kind: str, records: list[str]) -> None:
    with serving() as port:
        result = lookup_domain.function(asset(port), domain, kind)
    assert result.data[0]["record_infos"] == records


def test_an_address_is_told_by_its_names() -> None:
    with serving() as port:
        result = lookup_ip.function(asset(port), "192.0.2.1")
    assert result.message == (
        "Ip: 192.0.2.1\nHostname: a.example.com.\nCanonical name: 1.2.0.192.in-addr.arpa."
    )
    assert result.summary["hostname"] == "a.example.com."
    assert result.data == [{"hostnames": ["a.example.com.", "b.example."]}]


@pytest.mark.parametrize(
    ("domain", "kind", "sentence"),
    [
        ("gone.example", "A", "The domain gone.example does not exist"),
        ("example.com", "aaaa", "The domain example.com has no AAAA records"),
        ("example.com", "NOTHING", '"NOTHING" is not a kind of DNS records'),
        ("a..b", "A", '"a..b" is not a domain name'),
        ("x" * 64 + ".com", "A", f'"{"x" * 64}.com" is not a domain name'),
        ("192.0.2.1", "A", '"192.0.2.1" is an address, not a domain; "lookup ip" finds its name'),
    ],
)
def test_what_cannot_be_found_is_a_failure(domain: str, kind: str, sentence: str) -> None:
    with serving() as port, pytest.raises(ActionFailure) as failure:
        lookup_domain.function(asset(port), domain, kind)
    assert str(failure.value) == sentence


@pytest.mark.parametrize(
    ("ip", "sentence"),
    [
        ("example.com", '"example.com" is not an IP address'),
        ("192.0.2.9", "The domain 9.2.0.192.in-addr.arpa. does not exist"),
    ],
)
def test_an_address_without_a_name_is_a_failure(ip: str, sentence: str) -> None:
    with serving() as port, pytest.raises(ActionFailure) as failure:
        lookup_ip.function(asset(port), ip)
    assert str(failure.value) == sentence


def test_a_server_that_cannot_tell_is_named_with_its_reason() -> None:
    with serving() as port, pytest.raises(ActionFailure) as failure:
        lookup_domain.function(asset(port), "broken.example")
    assert str(failure.value) == f"The DNS server 127.0.0.1:{port} could not tell: SERVFAIL"


def test_a_silent_server_runs_into_the_time_out() -> None:
    with serving(lambda _: None) as port, pytest.raises(ActionFailure) as failure:
        lookup_domain.function(asset(port, timeout_seconds=0.4), "example.com")
    assert str(failure.value) == (
        f"The DNS server 127.0.0.1:{port} did not answer within 0.4 seconds"
    )


def test_a_server_that_drips_by_tcp_runs_into_the_same_time_out() -> None:
    over = threading.Event()

    def truncated(query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.TC  # "ask again by TCP"
        return reply

    def drip(connection: socket.socket) -> None:
        connection.sendall((1000).to_bytes(2))
        while not over.wait(0.02):
            connection.sendall(b"x")

    with serving(truncated, drip) as port:
        try:
            with pytest.raises(ActionFailure, match=r"did not answer within 0\.4 seconds"):
                lookup_domain.function(asset(port, timeout_seconds=0.4), "example.com")
        finally:
            over.set()


def test_a_long_answer_comes_by_tcp() -> None:
    def truncated(query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.TC
        return reply

    with serving(truncated) as port:
        result = lookup_domain.function(asset(port), "example.com")
    assert result.summary["total_record_infos"] == 2


def test_a_server_outside_of_the_assets_networks_is_not_asked() -> None:
    with pytest.raises(ActionFailure) as failure:
        lookup_ip.function(asset(53, networks=["192.0.2.0/24"]), "192.0.2.1")
    assert str(failure.value) == (
        "The DNS server cannot be asked: 127.0.0.1 is in none of the asset's networks"
    )


def test_a_host_that_is_no_address_is_told() -> None:
    with pytest.raises(ActionFailure) as failure:
        lookup_ip.function(asset(53, host="dns.example"), "192.0.2.1")
    assert str(failure.value) == 'The host "dns.example" of asset "resolver" is no address'


@pytest.mark.parametrize("domain", ["example.com", "gone.example"])
def test_connectivity_is_tested_by_any_answer(domain: str) -> None:
    with serving() as port:
        result = app.test_connectivity.function(asset(port, test_domain=domain))
    assert result.message == f"The DNS server 127.0.0.1:{port} answers"


def test_connectivity_fails_where_nobody_can_tell() -> None:
    with serving() as port, pytest.raises(ActionFailure, match="could not tell: SERVFAIL"):
        app.test_connectivity.function(asset(port, test_domain="broken.example"))
