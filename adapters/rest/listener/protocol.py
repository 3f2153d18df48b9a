"""HTTP on a connection, for clients who are slow on purpose or send heads without an end.

uvicorn waits for ever for the first byte, for the rest of a head and for the rest of a body, keeps
all of a head that it is sent, and takes bodies of any size that were refused. `Limits` judges heads
that are complete.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from prefect_phantom.adapters.errors import HeadTooLarge, Invalid, PhantomError, RequestTooSlow
from prefect_phantom.adapters.rest.layers.answer_headers import ALWAYS
from prefect_phantom.adapters.rest.layers.failures import status_of
from prefect_phantom.adapters.rest.listener.connections import Place
from prefect_phantom.adapters.rest.listener.joining_transport import JoiningTransport
from prefect_phantom.adapters.rest.listener.limits import HEAD_BYTES, PATH_BYTES
from prefect_phantom.adapters.rest.responses import failure

REQUEST_SECONDS = 30.0
"""How long a client may take for a request, from its first byte or the connection's begin on, and
for each `STEADY_BYTES` of its body. It is refused `LATE_SECONDS` after that."""
STEADY_BYTES = 1024 * 1024
UNREAD_BYTES = 4 * 1024 * 1024
"""What is taken of a body after its request was answered; a client that sends on may not read the
answer of a connection that was closed under its hands."""
LATE_SECONDS = 1.0
"""How much longer we look for what may have come while something else held us up."""
ANSWER_SECONDS = 30.0
"""How long a client may take none of the answer before the connection is cut."""
logger = logging.getLogger("prefect_phantom.http")
# uvicorn warns of each request that is none, which strangers send as they like: by Prefect's
# handler such a line costs more than to serve one.
logger.setLevel(logging.ERROR)


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with an end to its patience, at a `Place`. Checked on 0.54."""

    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _body_bytes = 0
    _in_head = False
    _in_body = False
    _is_refused = False
    _refusal: PhantomError | None = None
    _before: RequestResponseCycle | None = None

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        *,
        place: Place,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self.logger = logger
        self.place = place

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(JoiningTransport(transport, self.loop))
        self.place.close = transport.abort
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._arrived()
        self._unstuck()
        self.place.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head or a body that was refused has become too long."""
        if self._is_refused:
            return
        if self._late is None and self._is_answered():
            self._expect()  # idle until now, or sent blank lines only
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > 2 * HEAD_BYTES and not self.transport.is_closing():
                self._refuse(HeadTooLarge(f"{HEAD_BYTES} bytes"))
        elif self._in_body and self._body_bytes > UNREAD_BYTES and self._is_answered():
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a request, which may come before the one before it is answered."""
        super().on_message_begin()
        self.scope["state"]["is_known"] = self.place.is_known
        self._in_head, self._head_bytes = True, 0
        if self._late is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """The head is there."""
        if len(self.url.partition(b"?")[0]) > PATH_BYTES:
            # uvicorn would decode it. An error of ours ends the parsing, as one of the client's.
            self._refusal = HeadTooLarge(f"{PATH_BYTES} bytes of path")
            raise httptools.HttpParserError(str(self._refusal))
        self._in_head, self._in_body, self._body_bytes = False, True, 0
        self._take_host_of_target()
        self._before = self.cycle
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; a long one has time for each of its parts."""
        before, self._body_bytes = self._body_bytes, self._body_bytes + len(body)
        if before // STEADY_BYTES != self._body_bytes // STEADY_BYTES and not self._is_answered():
            self._arrived()
            self._expect()
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or what we do not read further."""
        self._refuse(self._refusal or Invalid(msg))

    def on_message_complete(self) -> None:
        """The request is there."""
        self._in_body = False
        self._arrived()
        super().on_message_complete()
        if self._is_answered():
            self._expect()  # the next one: this one was refused before all of it was there
        else:
            self.place.serve()

    def on_response_complete(self) -> None:
        """The answer is there, so that the client has its turn."""
        super().on_response_complete()
        if "user" in self.cycle.scope:
            self.place.is_known = True
        if self._last_unanswered() is None:
            self.place.wait()

    def pause_writing(self) -> None:
        """The client takes nothing of the answer just now."""
        super().pause_writing()
        self._unstuck()
        self._stuck = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)
        self.place.wait()

    def resume_writing(self) -> None:
        """It goes on."""
        self._unstuck()
        super().resume_writing()
        if not self._in_body and not self._is_answered():
            self.place.serve()

    def _is_answered(self) -> bool:
        """Whether no request is under way, or one whose answer is complete."""
        return self.cycle is None or self.cycle.response_complete

    def _last_unanswered(self) -> RequestResponseCycle | None:
        """The last request that is there as a whole and has not all of its answer.

        A client may send the next one before: what that lacks is not to be told in its place.
        """
        if self._in_body:
            return self._before if self.pipeline else None
        return None if self._is_answered() else self.cycle

    def _expect(self) -> None:
        self._late = self.loop.call_later(REQUEST_SECONDS, self._look_again)
        if self._last_unanswered() is None:
            self.place.wait()

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _unstuck(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _look_again(self) -> None:
        # Timers are looked at before sockets: after a long step of ours all of it may lie there.
        self._late = self.loop.call_later(LATE_SECONDS, self._give_up)

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
        """Answer in the failed envelope, when no answer has begun, and close the connection.

        When requests before it are still to be answered, it is closed after the last of them.
        """
        self._is_refused = True
        if (last := self._last_unanswered()) is not None:
            last.keep_alive = False
            if self._in_body:  # nobody is to begin with what is not there as a whole
                self.pipeline.popleft()
                self.cycle, self._in_body = last, False
            return
        begun = self._in_body if self._is_answered() else self.cycle.response_started
        if not begun:
            status = status_of(error)
            response = failure(str(error), status, {"Connection": "close"})
            lines = [b"HTTP/1.1 %d " % status, b"\r\n"]
            lines += [b"%s: %s\r\n" % header for header in (*response.raw_headers, *ALWAYS)]
            self.transport.write(b"".join([*lines, b"\r\n", bytes(response.body)]))
        self.transport.close()
