"""The control: a bare listener that refuses whatever comes, by TLS and without, and reads none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import Iterator

import trustme

from prefect_phantom.adapters.process.descriptors import raise_limit
from tests.benchmarks.process import ROOT
from tests.chaos.strangers.rows import Address

REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Refusing(asyncio.Protocol):
    """Answers the first bytes of a connection, and closes it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, _: bytes) -> None:
        self.transport.write(REFUSAL)
        self.transport.close()


async def _serve() -> None:
    raise_limit()
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    servers = [
        await loop.create_server(Refusing, "127.0.0.1", 0, backlog=2048, ssl=each)
        for each in (context, None)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


@contextlib.contextmanager
def refusing() -> Iterator[tuple[Address, Address]]:
    """A process of its own that listens; where it does by TLS, and where without."""
    command = [sys.executable, "-m", "tests.chaos.strangers.refusing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            secure, plain = map(int, process.stdout.readline().split())
            yield ("127.0.0.1", secure), ("127.0.0.1", plain)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
