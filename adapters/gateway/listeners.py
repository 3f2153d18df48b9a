"""The two listeners of a gateway: the REST contract's and the runtime API's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp

from prefect_phantom.adapters.process import descriptors
from prefect_phantom.adapters.rest.listener.connections import Connections
from prefect_phantom.adapters.rest.listener.listener import Listener
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.settings import Settings

RUNTIME_CONNECTIONS = 5000
"""Most connections to the runtime API; a run keeps its own for seconds."""
RUNTIME_TAKEN_SECONDS = 15.0
"""A worker has its name for as long as its connection lasts; a host without power ends none."""
RESERVED_DESCRIPTORS = 200
"""For the database, Prefect, and files, however many connections others hold."""


def listeners(
    contract: ASGIApp, runtime: ASGIApp, settings: Settings, turns: LoopTurns
) -> list[Listener]:
    """Both of them, which share a loop and the `turns` of its strangers.

    Neither may have so many connections that the other gets none.
    """
    each = max(1, (descriptors.raise_limit() - RESERVED_DESCRIPTORS) // 2)
    runtime_most = min(RUNTIME_CONNECTIONS, each)
    most = min(settings.connections, each)
    near = min(settings.connections_per_address, max(1, most // 2))
    secure = not settings.http
    return [
        Listener(
            contract,
            Connections(most, near, settings.trusted_proxies),
            host=settings.host,
            port=settings.port,
            certificate=str(settings.certificate) if secure else None,
            certificate_key=str(settings.certificate_key) if secure else None,
            turns=turns,
        ),
        # All runs of a host come from one address.
        Listener(
            runtime,
            Connections(runtime_most, runtime_most),
            host=settings.runtime_host,
            port=settings.runtime_port,
            turns=turns,
            taken_seconds=RUNTIME_TAKEN_SECONDS,
        ),
    ]


async def listen(servers: Sequence[Listener], stop: asyncio.Event) -> None:
    """Serve until `stop` is set or a server ends, which it does when it cannot have its port."""
    serving = [asyncio.create_task(server.serve()) for server in servers]
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, *serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving)
