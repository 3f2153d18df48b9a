"""The embedded PostgreSQL of a home by itself, while nothing else works on that home."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.home.leftover import DATABASE_PART
from prefect_phantom.adapters.supervisor.logs.logs import Logs
from prefect_phantom.adapters.supervisor.parts.environment import (
    logs_environment,
    postgres_environment,
)
from prefect_phantom.adapters.supervisor.parts.part import Part
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from prefect_phantom.adapters.supervisor.postgres.postgres import Postgres

STOP_SECONDS = 60.0
"""It writes its memory to the disk, so that the next start has nothing to recover."""


@asynccontextmanager
async def postgres_alone(home: Home, binaries: Path | None = None) -> AsyncIterator[str]:
    """Run it until the end of the block; the URL of the server. The caller holds the home's lock.

    Raises `CannotStart`.
    """
    environment = postgres_environment(home, os.environ)
    postgres = Postgres(home, environment, binaries)
    await postgres.prepare()
    pipes = Pipes([DATABASE_PART])
    logs = Logs(logs_environment(home, os.environ), _unwatched)
    await logs.start()
    part = Part(postgres.definition(), home.path, _unwatched, pipes, logs)
    try:
        await part.start()
        yield postgres.url
    finally:
        await part.stop(asyncio.get_running_loop().time() + STOP_SECONDS)
        pipes.close()
        await logs.close()


def _unwatched(*_: object) -> None:
    """Nobody watches it start."""
