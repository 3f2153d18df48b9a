"""The control: a bare listener that refuses whatever comes, and reads none of it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

from adapters.descriptors import raise_limit
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
    server = await loop.create_server(Refusing, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def refusing() -> Iterator[Address]:
    """A process of its own that listens; where it does."""
    command = [sys.executable, "-m", "tests.chaos.strangers.refusing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
