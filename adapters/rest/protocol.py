"""HTTP on a connection, for clients who are slow on purpose or send heads without an end.

uvicorn waits for ever for the first byte, for the rest of a head and for the rest of a body, and
keeps all of a head that it is sent. `Limits` judges heads that are complete.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.errors import HeadTooLarge, Invalid, PhantomError, RequestTooSlow
from adapters.rest.answer_headers import ALWAYS
from adapters.rest.failures import status_of
from adapters.rest.limits import HEAD_BYTES
from adapters.rest.responses import failure

REQUEST_SECONDS = 30.0
"""How long a client may take for a request, from its first byte or the connection's begin on."""
ANSWER_SECONDS = 30.0
"""How long a client may take none of the answer before the connection is cut."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with an end to its patience. Checked on 0.54."""

    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._arrived()
        self._unstuck()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has become too long without an end."""
        if self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._expect()  # idle until now, or sent blank lines only
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > 2 * HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge(f"{HEAD_BYTES} bytes"))

    def on_message_begin(self) -> None:
        """Begin a request, which may come before the one before it is answered."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if self._late is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head = False
        self._take_host_of_target()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(Invalid(msg))

    def on_message_complete(self) -> None:
        """The request is there."""
        self._arrived()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client takes nothing of the answer just now."""
        super().pause_writing()
        self._unstuck()
        self._stuck = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It goes on."""
        self._unstuck()
        super().resume_writing()

    def _expect(self) -> None:
        self._late = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _unstuck(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _give_up(self) -> None:
        self._late = None
        flow: FlowControl = self.flow
        if flow.read_paused:
            self._expect()  # it is we who do not read on
        elif not self.transport.is_closing():
            self._refuse(RequestTooSlow(REQUEST_SECONDS))

    def _take_host_of_target(self) -> None:
        """The host of a target such as ``http://host/path`` counts, not the header's (RFC 9112)."""
        if self.url.startswith((b"/", b"*")):
            return
        target = httptools.parse_url(self.url)
        if target.host is not None:
            port = b"" if target.port is None else b":%d" % target.port
            name = b"[%s]" % target.host if b":" in target.host else target.host
            self.headers[:] = [each for each in self.headers if each[0] != b"host"]
            self.headers.append((b"host", name + port))

    def _refuse(self, error: PhantomError) -> None:
        """Answer in the failed envelope, when no answer has begun, and close the connection."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            status = status_of(error)
            response = failure(str(error), status, {"Connection": "close"})
            lines = [b"HTTP/1.1 %d " % status, b"\r\n"]
            lines += [b"%s: %s\r\n" % header for header in (*response.raw_headers, *ALWAYS)]
            self.transport.write(b"".join([*lines, b"\r\n", bytes(response.body)]))
        self.transport.close()
