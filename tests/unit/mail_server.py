"""Mail servers on loopback: one that takes emails, and those that say what a test wants."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

PASSWORD = "correct horse"


class Mailbox:
    """Takes emails, but for nobody at refused.example and by nobody at forged.example."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.handle_MAIL = self._from
        self.handle_RCPT = self._to
        self.handle_DATA = self._content

    async def _from(self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any) -> str:
        if address.endswith("@forged.example"):
            return "553 5.7.1 Not your address"
        envelope.mail_from = address
        return "250 OK"

    async def _to(self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any) -> str:
        if address.endswith("@refused.example"):
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def _content(self, _: Any, __: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK"

    def email(self) -> EmailMessage:
        (envelope,) = self.envelopes
        return message_from_bytes(envelope.content, policy=policy.default)


def authenticate(_: Any, __: Any, ___: Any, ____: Any, data: Any) -> AuthResult:
    known = (data.login, data.password) == (b"analyst", PASSWORD.encode())
    return AuthResult(success=known, handled=False)


@contextmanager
def serving(authority: trustme.CA, encryption: str = "starttls") -> Iterator[tuple[Mailbox, int]]:
    """A mail server on loopback, and its port."""
    mailbox = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    tls = {
        "starttls": {"tls_context": context, "require_starttls": True},
        "tls": {"ssl_context": context},
        "none": {},
    }[encryption]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    class Listening(Controller):
        def _create_server(self) -> Any:  # on a port that is ours already
            return self.loop.create_server(
                self._factory_invoker, sock=listener, ssl=self.ssl_context
            )

    controller = Listening(
        mailbox, hostname="127.0.0.1", port=port, authenticator=authenticate,
        auth_require_tls=encryption == "starttls", **tls,
    )  # fmt: skip
    controller.start()
    try:
        yield mailbox, port
    finally:
        controller.stop()


@contextmanager
def speaking(speak: Callable[[StreamRequestHandler, threading.Event], object]) -> Iterator[int]:
    """The port of a server that says what `speak` does; its event is set when it stops."""
    over = threading.Event()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            speak(self, over)

    class Server(ThreadingTCPServer):
        daemon_threads = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the client hangs up first

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
