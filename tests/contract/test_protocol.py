"""Our decision: clients that are slow on purpose, and heads without an end, are sent away."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.errors import PhantomError
from prefect_phantom.adapters.rest.listener import listener, protocol
from prefect_phantom.adapters.rest.listener.connections import Connections
from prefect_phantom.adapters.rest.listener.limits import HEAD_BYTES, MOST_HEADERS, PATH_BYTES
from prefect_phantom.adapters.rest.listener.listener import Listener
from prefect_phantom.adapters.rest.listener.protocol import Protocol

SOON = 0.2
LONG = 30.0


class Connection:
    """A connection that says what it is told to, byte by byte."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: Listener,
    ) -> None:
        self.reader, self.writer, self.server = reader, writer, server

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # for the other side

    async def end(self) -> bytes:
        """All that comes until the server closes the connection."""
        async with asyncio.timeout(LONG):
            return await self.reader.read()

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        async with asyncio.timeout(LONG):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            return int(head.split()[1]), json.loads(await self.reader.readexactly(length))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests have little time."""
    for name in ("REQUEST_SECONDS", "LATE_SECONDS"):
        monkeypatch.setattr(protocol, name, SOON)


@asynccontextmanager
async def served(application: ASGIApp) -> AsyncIterator[Connection]:
    """A connection to a server of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # soon full
    server = Listener(application, Connections(100, 100), host="127.0.0.1", port=0)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        yield Connection(reader, writer, server)
    finally:
        writer.transport.abort()  # what it could not write would be waited for
        server.should_exit = server.force_exit = True
        await serving
        listener.close()


@pytest.fixture
async def connection(application: ASGIApp) -> AsyncIterator[Connection]:
    async with served(application) as connection:
        yield connection


@pytest.mark.attack("connections that send nothing, or byte by byte", "closed after 30 s")
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\r\n",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: gateway\r\nX-Slow: ",
        b"GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n\r\n",
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_request_that_does_not_come_is_not_waited_for(application, beginning):
    async with served(application) as connection:
        await connection.send(beginning)
        assert (await connection.end()).startswith(b"HTTP/1.1 ")


def test_what_does_not_come_has_30_seconds():
    assert (protocol.REQUEST_SECONDS, listener.HANDSHAKE_SECONDS) == (30, 30)


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_does_not_come_is_answered_in_the_failed_envelope(
    application, credentials
):
    async with served(application) as connection:
        head = f"POST /rest/playbook_run HTTP/1.1\r\nHost: x\r\nph-auth-token: {credentials.token}"
        await connection.send(head.encode() + b"\r\nContent-Length: 100\r\n\r\n{")
        status, body = await connection.answer()
        assert status == 408
        assert body["failed"] is True
        assert body["message"].startswith("The request was not complete within ")
        assert await connection.end() == b""


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})])  # the gateway's
async def test_what_came_while_the_gateway_was_held_up_was_in_time(monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", SOON)
    monkeypatch.setattr(protocol, "LATE_SECONDS", LONG)
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()

    def hold_up() -> None:
        loop.remove_reader(ours)
        client.sendall(b"Host: gateway\r\nConnection: close\r\n\r\n")
        threading.Event().wait(2 * SOON)

    async with served(JSONResponse({})) as connection:
        connections = connection.server.server_state.connections
        address = connection.writer.get_extra_info("peername")
        with ours, theirs, socket.create_connection(address) as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            while not any(each._in_head for each in connections):
                await asyncio.sleep(0.001)
            loop.add_reader(ours, hold_up)  # among the sockets, so that timers come next
            theirs.send(b".")
            answer = await asyncio.to_thread(client.recv, 100)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.attack("a client that takes no answers", "cut off")
async def test_a_client_that_takes_none_of_the_answers_is_cut_off(application, monkeypatch):
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", SOON)
    async with served(application) as connection, asyncio.timeout(LONG):
        await connection.send(b"GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert await connection.answer() == (200, {"status": "ready"})
        request = b"GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n"
        while connection.server.server_state.connections:
            connection.writer.write(request)
            await asyncio.sleep(0.001)


async def test_a_connection_is_used_again_and_again(connection):
    for _ in range(3):
        await connection.send(b"GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert await connection.answer() == (200, {"status": "ready"})


async def test_requests_that_come_before_they_are_asked_for_are_answered_in_turn(connection):
    await connection.send(b"GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n" * 3)
    for _ in range(3):
        assert await connection.answer() == (200, {"status": "ready"})


NEXT_HEAD = b"POST / HTTP/1.1\r\nHost: gateway\r\n"
NOT_TO_BE_ANSWERED = {
    "half a head": b"GET / HT",
    "no HTTP": b"\0\0\0\r\n\r\n",
    "a head without an end": b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 3 * HEAD_BYTES,
    "half a body": NEXT_HEAD + b"Content-Length: 9\r\n\r\n{",
    "a body that is none": NEXT_HEAD + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n",
}


@pytest.mark.attack(
    "the next request, slow, too long or no HTTP, while one is carried out",
    "that one gets its own answer, and the connection is closed after it",
)
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize("more", NOT_TO_BE_ANSWERED.values(), ids=NOT_TO_BE_ANSWERED.keys())
async def test_what_is_wrong_with_the_next_request_is_no_answer_to_this_one(
    more, before, monkeypatch
):
    refused = asyncio.Event()
    refuse = Protocol._refuse

    def refuses(self: Protocol, error: PhantomError) -> None:
        refuse(self, error)
        refused.set()

    monkeypatch.setattr(Protocol, "_refuse", refuses)

    async def accepts(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await refused.wait()
        (place,) = server.connections._all
        assert not any(place in waiting for waiting in server.connections.waiting)
        await JSONResponse({"accepted": True})(scope, receive, send)

    async with served(accepts) as connection:
        server = connection.server
        await connection.send(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n" * before + more)
        for _ in range(before):
            assert await connection.answer() == (200, {"accepted": True})
        assert await connection.end() == b""


@pytest.mark.attack("a head without an end", "431, not kept in memory")
@pytest.mark.parametrize("piece", [b"X-Bomb: 1\r\n", b"x", b"GET"])
async def test_a_head_without_an_end_is_not_kept(connection, piece):
    await connection.send(b"GET / HTTP/1.1\r\nX-Long: ")
    more = piece * (4096 // len(piece))
    try:
        for _ in range(1000):
            await connection.send(more)
    except ConnectionError:
        return  # it was closed before all of it was sent
    pytest.fail("4 MB of a head were taken")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: gateway\r\n" + b"X-Many: 1\r\n" * MOST_HEADERS,
        b"GET / HTTP/1.1\r\nHost: gateway\r\nX-Long: " + b"x" * HEAD_BYTES + b"\r\n",
        b"GET /" + b"x" * HEAD_BYTES + b" HTTP/1.1\r\nHost: gateway\r\n",
        b"GET /?" + b"x" * HEAD_BYTES + b" HTTP/1.1\r\nHost: gateway\r\n",
        b"GET /" + b"%ff" * (PATH_BYTES // 3 + 1) + b" HTTP/1.1\r\nHost: gateway\r\n",
    ],
    ids=["headers", "header", "path", "query", "path to decode"],
)
async def test_a_large_head_is_answered_in_the_failed_envelope(connection, head):
    await connection.send(head + b"\r\n")
    status, body = await connection.answer()
    assert status == 431
    assert body["failed"] is True
    assert body["message"].startswith("Path and headers of the request are over the limit of ")
    assert await connection.end() == b""


@pytest.mark.attack("requests that are none, over and over", "400, and no line in the log")
@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"\x16\x03\x01", 400), (b"GET /" + b"x" * PATH_BYTES + b" HTTP/1.1\r\n\r\n", 431)],
    ids=["no HTTP", "a long path"],
)
async def test_what_cannot_be_read_fills_no_log(connection, sent, status, caplog):
    await connection.send(sent)
    assert (await connection.answer())[0] == status
    assert await connection.end() == b""
    assert not caplog.records


async def test_what_is_answered_before_a_long_path_is_answered_as_ever(connection):
    long = b"GET /" + b"x" * PATH_BYTES + b" HTTP/1.1\r\nHost: gateway\r\n\r\n"
    await connection.send(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n" + long)
    assert (await connection.answer())[0] == 200
    assert b"HTTP/1.1 200" not in await connection.end()


async def test_a_websocket_is_not_opened(connection):
    await connection.send(
        b"GET /rest/playbook_run HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert (await connection.answer())[0] == 401
