"""How httpx reaches a server when everything together must be over by a deadline.

httpx gives each read its whole time again, so that a server which sends a byte at a time is never
given up. Here each read, write and handshake has what is left.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator

import httpcore
import httpx

from prefect_phantom.apps._web.deadline import Deadline


class DeadlineTransport(httpx.BaseTransport):
    """Connections that end at `deadline`. Raises `TimeoutError` and `OSError` as they come."""

    def __init__(
        self, deadline: Deadline, certificates: ssl.SSLContext, proxy: httpx.Proxy | None = None
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            network_backend=_Backend(deadline),
            proxy=_proxy(proxy, certificates) if proxy else None,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; its answer is read when its stream is."""
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


def _proxy(proxy: httpx.Proxy, certificates: ssl.SSLContext) -> httpcore.Proxy:
    secured = proxy.url.scheme == "https"
    return httpcore.Proxy(
        str(proxy.url), auth=proxy.raw_auth, ssl_context=certificates if secured else None
    )


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if timeout or local_address or socket_options:
            raise NotImplementedError  # the pool above asks for none of them
        return _Stream(self._deadline.connect(host, port), self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.settimeout(self._deadline.left(timeout))
        return self._connection.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                self._connection.settimeout(self._deadline.left(timeout))
                rest = rest[self._connection.send(rest) :]
        except TimeoutError:
            raise
        except OSError as error:
            # A server may answer before it has read everything; httpcore then reads that answer.
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._connection.settimeout(self._deadline.left(timeout))
            secured = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except OSError:
            self.close()
            raise
        return _Stream(secured, self._deadline)
