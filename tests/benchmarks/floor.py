"""The bare floor: one ASGI handler with one INSERT or SELECT on the same PostgreSQL."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import AsyncIterator

import asyncpg
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.benchmarks.installation import Installation
from tests.benchmarks.process import running

TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    container_id bigint NOT NULL,
    playbook text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
)
"""


async def accept(request: Request) -> JSONResponse:
    """One INSERT, committed before the answer."""
    body = await request.json()
    query = "INSERT INTO runs (container_id, playbook) VALUES ($1, $2) RETURNING id"
    pool: asyncpg.Pool = request.app.state.pool
    found = await pool.fetchval(query, body["container_id"], body["playbook_id"])
    return JSONResponse({"playbook_run_id": str(found), "received": True})


async def status(request: Request) -> JSONResponse:
    """One row by its primary key."""
    pool: asyncpg.Pool = request.app.state.pool
    query = "SELECT id, container_id, playbook, create_time::text FROM runs WHERE id = $1"
    row = await pool.fetchrow(query, request.path_params["id"])
    return JSONResponse(dict(row or {}))


def application(sockets: str) -> Starlette:
    """The application on a database server's socket folder."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            host=sockets, user="postgres", database="floor", min_size=10, max_size=10
        ) as app.state.pool:
            await app.state.pool.execute(TABLE)
            yield

    routes = [
        Route("/runs", accept, methods=["POST"]),
        Route("/runs/{id:int}", status),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


@contextlib.asynccontextmanager
async def floor(system: Installation) -> AsyncIterator[str]:
    """URL of a floor in a process of its own."""
    await system.rows("postgres", "CREATE DATABASE floor")
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        number = listener.fileno()
        sockets = str(system.home / "postgres" / "socket")
        command = [sys.executable, "-m", "tests.benchmarks.floor", sockets, str(number)]
        with running(command, system.home.parent / "floor.log", {}, keep=[number]):
            body = {"container_id": 1, "playbook_id": "first"}
            async with httpx.AsyncClient(timeout=30) as client:
                (await client.post(f"{url}/runs", json=body)).raise_for_status()
            yield url


if __name__ == "__main__":
    # Not `fd=`: uvicorn takes that for a Unix socket, and each answer would wait for Nagle.
    listening = socket.socket(fileno=int(sys.argv[2]))
    config = uvicorn.Config(application(sys.argv[1]), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])
