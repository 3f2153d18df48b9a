from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.adapters.sample import data, whois_server
from prefect_phantom.apps.whois import Settings, whois_domain, whois_ip


def ask(port: int, query: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(query)
        with connection.makefile("rb") as answer:
            return answer.read().decode()


@contextmanager
def running() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The responder as a process of its own, listening."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "prefect_phantom.adapters.sample.whois_server",
            "--port",
            str(number),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process, number
        finally:
            process.kill()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as (_, number):
        yield number


@pytest.fixture
def asset(port: int) -> Asset[Settings]:
    settings = Settings(host="127.0.0.1", port=port, timeout_seconds=10)
    return Asset(id=1, name="whois", app="WHOIS", settings=settings)


def test_sigterm_stops_it_cleanly_even_while_a_client_is_connected() -> None:
    with (
        running() as (process, number),
        socket.create_connection(("127.0.0.1", number), timeout=10),
    ):
        ask(number, b"example.com\r\n")  # by then the client before is accepted too
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "", "")


def test_whois_ip_reads_its_addresses(asset: Asset[Settings]) -> None:
    assert whois_ip.function(asset, "192.0.2.17").message == (
        "Registry: arin\nASN: 64496\nCountry: US\nNets:\n"
        "Range: 192.0.2.0 - 192.0.2.255\nAddress: 12 Sample Way"
    )


def test_whois_domain_reads_its_domains(asset: Asset[Settings]) -> None:
    assert whois_domain.function(asset, "www.example.net").message == (
        "Organization: Northern Sample Hosting\nDomain: example.net\nCity: Toronto\n"
        "Name: Domain Administrator\nCountry: CA"
    )


def test_it_knows_everything_that_the_sample_artifacts_name(asset: Asset[Settings]) -> None:
    facts = [row["cef"] for row in data._artifact_rows()]
    for cef in facts:
        for name in ("sourceAddress", "destinationAddress"):
            if name in cef:
                assert whois_ip.function(asset, cef[name]).data
        if "destinationDnsDomain" in cef:
            assert whois_domain.function(asset, cef["destinationDnsDomain"]).data


@pytest.mark.parametrize("value", ["192.0.3.1", "10.0.0.1", "2001:db8::1"])
def test_it_knows_no_other_addresses(value: str, asset: Asset[Settings]) -> None:
    with pytest.raises(ActionFailure, match="Nothing found"):
        whois_ip.function(asset, value)


def test_it_knows_no_other_domains(asset: Asset[Settings]) -> None:
    with pytest.raises(ActionFailure, match="Nothing found"):
        whois_domain.function(asset, "example.edu")


@pytest.mark.parametrize("query", [b"\r\n", b"\xff\xfe\r\n", b"{} %s\r\n"])
def test_nonsense_has_no_match(query: bytes, port: int) -> None:
    assert ask(port, query).startswith("No match for ")


def test_case_and_a_final_dot_do_not_matter(port: int) -> None:
    assert "Domain Name: EXAMPLE.COM\r\n" in ask(port, b" Example.COM. \r\n")


def test_a_query_without_end_is_hung_up_on(port: int) -> None:
    # Hung up with bytes unread, which TCP may tell the client as a reset.
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"x" * 10 * whois_server.QUERY_LIMIT)
        try:
            answer = connection.recv(1)
        except ConnectionResetError:
            answer = b""
    assert answer == b""


def test_every_answer_says_that_it_is_a_sample() -> None:
    for query in ("192.0.2.1", "example.com", "else.example"):
        assert whois_server.NOTICE in whois_server.answer(query)


def test_a_client_that_sends_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whois_server, "QUERY_SECONDS", 0.05)

    async def wait_for_the_end() -> bytes:
        server = await whois_server.start("127.0.0.1", 0)
        number = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        answer = await asyncio.wait_for(reader.read(), timeout=10)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return answer

    assert asyncio.run(wait_for_the_end()) == b""
