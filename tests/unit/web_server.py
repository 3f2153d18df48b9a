"""A web server on loopback, with or without TLS, for the tests of apps."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


class Exchange(BaseHTTPRequestHandler):
    """A request to the server, and how it is answered."""

    body: bytes
    over: threading.Event
    """Set when the server stops: whoever keeps a client waiting must end then."""

    def reply(self, status: int = 200, body: Any = b"", **headers: str) -> None:
        """Answer completely; what is neither bytes nor a text is sent as JSON."""
        kind = "text/plain"
        if not isinstance(body, bytes | str):
            body, kind = json.dumps(body), "application/json"
        sent = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in {"content-type": kind, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


Respond = Callable[[Exchange], object]


@dataclass
class WebServer:
    url: str
    requests: list[Exchange] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def serving(
    respond: Respond, certificate: trustme.LeafCert | None = None, address: str = "127.0.0.1"
) -> Iterator[WebServer]:
    """A server whose every request `respond` answers, in a thread of its own."""
    over = threading.Event()

    class Handler(Exchange):
        def answer(self) -> None:
            self.over = over
            self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
            server.requests.append(self)
            self.close_connection = True
            respond(self)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # such as do_GET
                return self.answer
            raise AttributeError(name)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the client may hang up first, or refuse the certificate

        def finish_request(self, request: Any, client_address: Any) -> None:
            # Here, in the request's own thread: a handshake may keep others waiting.
            if context:
                request = context.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            if context:
                request.close()

    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
    listener = Server((address, 0), Handler)
    scheme = "https" if certificate else "http"
    server = WebServer(f"{scheme}://{address}:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        over.set()
        listener.shutdown()
        thread.join()
        listener.server_close()


def silent(exchange: Exchange) -> None:
    """Answer nothing."""
    exchange.over.wait()


def dripping_head(exchange: Exchange) -> None:
    """Answer with a header without end, a byte at a time."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
    drip(exchange)


def dripping_body(exchange: Exchange) -> None:
    """Answer with a body without end, a byte at a time."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    drip(exchange)


def drip(exchange: Exchange) -> None:
    while not exchange.over.wait(0.02):
        exchange.wfile.write(b"x")
