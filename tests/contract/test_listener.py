"""Our decision: how many connections a listener has, and how long it waits, is bounded."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import TypeAlias
from uuid import uuid4

import pytest
import trustme

from prefect_phantom.adapters.rest.listener import listener, protocol
from prefect_phantom.adapters.rest.listener.connections import LEAVING, Connections
from prefect_phantom.adapters.rest.listener.listener import Listener
from tests.conftest import require

SOON = 0.2
LONG = 30.0
Connect: TypeAlias = Callable[..., Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
MOST = 20
GET = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
REFUSED = b"POST /refused HTTP/1.1\r\nHost: gateway\r\nContent-Length: 10000000\r\n\r\n"
OK = b"HTTP/1.1 200 "


@pytest.fixture(scope="module")
def anyio_backend():
    """The loop on which the gateway runs."""
    return "asyncio", {"use_uvloop": True}


async def application(scope, receive, send):
    """Refuses some bodies unread, reads others, and never ends a stream."""
    refused = scope["path"] == "/refused"
    more = not refused
    while more:
        message = await receive()
        more = message.get("more_body", False)
    status = 401 if refused else 200
    streamed = scope["path"] == "/stream"
    headers = [] if streamed else [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok", "more_body": streamed})
    if streamed:
        await asyncio.Event().wait()


@asynccontextmanager
async def listening(
    application=application, address: str = "127.0.0.1", **options
) -> AsyncIterator[tuple[Listener, Connect]]:
    """A listener at work, and how to connect to it, which sends something at once."""
    bound = socket.create_server((address, 0))
    server = Listener(application, Connections(MOST, MOST), host=address, port=0, **options)
    serving = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    writers = []

    async def connect(sent: bytes = b"", **options):
        reader, writer = await asyncio.open_connection(*bound.getsockname(), **options)
        writers.append(writer)
        writer.write(sent)
        return reader, writer

    try:
        yield server, connect
    finally:
        for writer in writers:
            writer.transport.abort()
        server.should_exit = server.force_exit = True
        for task in list(server.server_state.tasks):
            task.cancel()
        await serving


async def ends(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed, however."""
    received = b""
    async with asyncio.timeout(LONG):
        while True:
            try:
                part = await reader.read(1000)
            except ConnectionError:
                return received
            if not part:
                return received
            received += part


@pytest.mark.attack(
    "more connections than there may be, that send nothing, or half a head", "others are answered"
)
@pytest.mark.parametrize("sent", [b"", GET[:20], REFUSED, GET], ids=["none", "head", "body", "all"])
async def test_who_holds_more_connections_than_there_are_keeps_nobody_out(sent):
    async with listening() as (server, connect):
        held = []
        for _ in range(3 * MOST):
            held.append(await connect(sent))
            reader, _ = await connect(GET)
            async with asyncio.timeout(LONG):
                assert (await reader.readuntil(b"ok")).startswith(OK)
            assert len(server.connections) <= MOST + LEAVING


async def test_who_is_being_served_is_not_closed_for_those_who_wait():
    async with listening() as (server, connect):
        stream, _ = await connect(GET.replace(b"/ ", b"/stream "))
        assert (await stream.readuntil(b"ok")).startswith(OK)
        held = [await connect() for _ in range(3 * MOST)]
        first, _ = held[0]
        assert await ends(first) == b""
        assert not stream.at_eof()
        assert len(server.connections) <= MOST + LEAVING


@pytest.fixture
def by_tls(tmp_path) -> tuple[dict[str, str], ssl.SSLContext]:
    """How a listener serves by TLS, and how a client trusts it."""
    authority = trustme.CA()
    issued = authority.issue_cert("gateway")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return {"certificate": str(tmp_path / "both.pem")}, context


@pytest.mark.attack("a TLS connection that says nothing", "closed after 30 s; counts before that")
@pytest.mark.parametrize("sent", [b"", b"\x16"], ids=["none", "a byte"])
async def test_a_handshake_that_does_not_come_is_not_waited_for(by_tls, monkeypatch, sent):
    files, context = by_tls
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", SOON)
    async with listening(**files) as (_, connect):
        silent, _ = await connect(sent)
        assert await ends(silent) == b""
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 10 * LONG)
    async with listening(**files) as (server, connect):
        held = [await connect(sent) for _ in range(2 * MOST)]
        first, _ = held[0]
        assert await ends(first) == b""
        reader, _ = await connect(GET, ssl=context, server_hostname="gateway")
        async with asyncio.timeout(LONG):
            assert (await reader.readuntil(b"ok")).startswith(OK)
        assert len(server.connections) <= MOST + LEAVING


async def test_tls_is_begun_when_the_client_has_said_something(by_tls):
    files, context = by_tls
    async with listening(**files) as (server, connect):
        reader, writer = await connect()
        while not server._accepted:
            await asyncio.sleep(0.001)
        assert not server._opening
        await writer.start_tls(context, server_hostname="gateway")
        assert not server._accepted
        writer.write(GET)
        async with asyncio.timeout(LONG):
            assert (await reader.readuntil(b"ok")).startswith(OK)


async def test_what_has_said_nothing_is_closed_at_a_stop(by_tls):
    files, _ = by_tls
    async with listening(**files) as (server, connect):
        silent, _ = await connect()
        while not server._accepted:
            await asyncio.sleep(0.001)
        server.should_exit = True
        assert await ends(silent) == b""
        assert not len(server.connections)


@pytest.mark.attack("a refused body that goes on and on", "not taken further than 4 MB")
async def test_a_body_that_was_refused_is_not_taken_for_ever():
    async with listening() as (_, connect):
        reader, writer = await connect(REFUSED.replace(b"10000000", b"10000000000"))
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 401 ")
        async with asyncio.timeout(LONG):
            while not writer.is_closing():
                writer.write(b"x" * 65536)
                await asyncio.sleep(0)


@pytest.mark.parametrize("rest", [0, 10_000_000], ids=["half", "all"])
async def test_a_connection_whose_body_was_refused_is_closed_in_time(rest, monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", SOON)
    monkeypatch.setattr(protocol, "UNREAD_BYTES", 2 * rest)
    async with listening() as (_, connect):
        reader, _ = await connect(REFUSED + b"x" * rest)
        answers = await ends(reader)
        assert answers.startswith(b"HTTP/1.1 401 ")
        assert answers.count(b"HTTP/1.1") == (2 if rest else 1)


async def test_a_stream_has_no_end_because_of_the_time(monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", SOON)
    async with listening() as (_, connect):
        stream, _ = await connect(GET.replace(b"/ ", b"/stream "))
        assert (await stream.readuntil(b"ok")).startswith(OK)
        silent, _ = await connect()
        assert (await ends(silent)).startswith(b"HTTP/1.1 408 ")
        assert not stream.at_eof()


async def test_a_long_body_has_time_for_each_of_its_parts(monkeypatch):
    monkeypatch.setattr(protocol, "STEADY_BYTES", 1000)
    async with listening() as (server, connect), asyncio.timeout(LONG):
        head = b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2500\r\n\r\n"
        reader, writer = await connect(head)
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        (connection,) = server.server_state.connections
        for _ in range(2):
            before = connection._late
            writer.write(b"x" * 1000)
            while connection._late is before:
                await asyncio.sleep(0.01)
        writer.write(b"x" * 500)
        assert (await reader.readuntil(b"ok")).startswith(OK)
        assert connection._late is None


OTHER_HOST = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.sendall(b"GET / HTTP/1.1\\r\\nHost: gateway\\r\\n\\r\\n")
print(connection.recv(1)[:1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_host():
    """The name of a further host, the address at which it reaches this one, and how to cut it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root makes hosts, with iproute2")
    name = f"host{uuid4().hex[:8]}"
    link = f"l{name[4:]}"
    # Others may make hosts at the same time.
    networks = list(ip_network("198.18.0.0/15").subnets(new_prefix=30))
    address, other = map(str, networks[int(name[4:], 16) % len(networks)].hosts())

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    require("ip", "netns", "add", name)
    try:
        pair = ("type", "veth", "peer", "name", "eth0", "netns", name)
        require("ip", "link", "add", link, *pair)
        ip("addr", "add", f"{address}/30", "dev", link)
        ip("link", "set", link, "up")
        ip("-n", name, "addr", "add", f"{other}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield name, address, lambda: ip("link", "set", link, "down")
    finally:
        ip("netns", "delete", name)


async def test_a_host_that_has_lost_its_power_is_gone_before_the_system_says_so(other_host):
    name, address, cut = other_host
    gone = asyncio.Event()

    async def ticks(_scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        told = asyncio.create_task(receive())
        while not told.done() or (await told)["type"] != "http.disconnect":
            if told.done():
                told = asyncio.create_task(receive())
            await send({"type": "http.response.body", "body": b".", "more_body": True})
            await asyncio.wait({told}, timeout=0.05)
        gone.set()

    async with listening(ticks, address, taken_seconds=0.5) as (server, _):
        port = server.servers[0].sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", name, sys.executable, "-c", OTHER_HOST, address, str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert await client.stdout.readline()
            cut()
            async with asyncio.timeout(LONG):
                await gone.wait()
        finally:
            client.kill()
            await client.communicate()
