"""The installation that is measured: `prefect-phantom up` in a home of its own, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from prefect_phantom.adapters.process.process_marks import environment_of
from tests.benchmarks.process import running, says

HERE = Path(__file__).parent
USER, PASSWORD = "admin", "benchmark"
START_SECONDS = 300
TWO, REUSED, FORTY = "local/two_actions", "local/two_actions_reused", "local/forty_actions"
FOUR_HUNDRED = "local/four_hundred_actions"


class Installation:
    """What the scenarios reach: the gateway, the Prefect server, PostgreSQL, and the parts."""

    def __init__(self, home: Path, url: str, supervisor: psutil.Process) -> None:
        self.home = home
        self.url = url
        self._supervisor = supervisor
        self.prefect_auth = (home / "prefect.auth").read_text().strip()
        command = self.roots("Prefect server")[0].cmdline()
        self.prefect_url = f"http://127.0.0.1:{command[command.index('--port') + 1]}/api"
        self.gateway = httpx.AsyncClient(base_url=url, auth=(USER, PASSWORD), timeout=60)
        user, _, password = self.prefect_auth.partition(":")
        self.prefect = httpx.AsyncClient(
            base_url=self.prefect_url, auth=(user, password), timeout=60
        )

    def roots(self, part: str) -> list[psutil.Process]:
        """The first process of one part, as the supervisor has named it in its environment."""
        return [
            process
            for process in self._supervisor.children()
            if environment_of(process).get("PREFECT_PHANTOM_PART") == part
        ]

    async def rows(self, database: str, query: str, *values: object) -> list[asyncpg.Record]:
        """The rows of one query, over the socket in the home."""
        connection = await self.connect(database)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    async def connect(self, database: str) -> asyncpg.Connection:
        """A connection to one database of the embedded PostgreSQL."""
        sockets = str(self.home / "postgres" / "socket")
        return await asyncpg.connect(host=sockets, user="postgres", database=database)

    async def slots(self) -> int:
        """Most runs at once on a worker, as the work pool has it."""
        pool = (await self.prefect.get("/work_pools/phantom")).raise_for_status().json()
        return int(pool["base_job_template"]["variables"]["properties"]["slots"]["default"])

    async def start(self, playbook: str, container: int = 42, **inputs: Any) -> int:
        """Id of a new run."""
        body = {"container_id": container, "playbook_id": playbook, "run": True, "inputs": inputs}
        answer = await self.gateway.post("/rest/playbook_run", json=body)
        return int(answer.raise_for_status().json()["playbook_run_id"])

    async def claimed(self, ids: Sequence[int], *, seconds: float = 120) -> list[asyncpg.Record]:
        """The rows of these runs when a process holds each of them."""
        return await self._rows_when(ids, "process_id IS NOT NULL", seconds)

    async def ended(self, ids: Sequence[int], *, seconds: float = 120) -> list[asyncpg.Record]:
        """The rows of these runs when all have ended."""
        return await self._rows_when(ids, "end_time IS NOT NULL", seconds)

    async def settled(self) -> None:
        """Until Prefect has seen the end of every run too."""
        while await self.rows("phantom", "SELECT 1 FROM playbook_runs WHERE NOT settled LIMIT 1"):
            await asyncio.sleep(0.1)

    async def _rows_when(
        self, ids: Sequence[int], condition: str, seconds: float
    ) -> list[asyncpg.Record]:
        query = f"SELECT * FROM playbook_runs WHERE id = ANY($1) AND {condition}"
        connection = await self.connect("phantom")
        try:
            async with asyncio.timeout(seconds):
                while len(rows := await connection.fetch(query, list(ids))) < len(ids):
                    await asyncio.sleep(0.02)
            return rows
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def installation() -> AsyncIterator[Installation]:
    """Started; stopped and removed at the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
    playbooks = folder / "playbooks"
    shutil.copytree(HERE / "playbooks", playbooks, ignore=shutil.ignore_patterns("__pycache__"))
    # Its runs are accepted like any other, and end without loading the machine.
    (playbooks / "broken.py").write_text("import no_such_module\n")
    program = str(Path(sys.executable).with_name("prefect-phantom"))
    command = [program, "up", "--home", str(folder / "home"), "--playbooks", str(playbooks)]
    options = {
        "PREFECT_PHANTOM_RUNTIME_PORT": "0",
        "PREFECT_PHANTOM_ADMIN_PASSWORD": PASSWORD,
        # Stock Prefect and the floor speak plain HTTP as well.
        "PREFECT_PHANTOM_HTTP": "true",
    }
    output = folder / "up.log"
    command += ["--port", "0", "--prefect-port", "0", "--sample-data"]
    try:
        with running(command, output, options) as process:
            try:
                async with asyncio.timeout(START_SECONDS):
                    while not says(output, "ready: http") and process.poll() is None:
                        await asyncio.sleep(0.2)
            except TimeoutError:
                raise SystemExit(f"it does not get ready:\n{output.read_text()}") from None
            if process.poll() is not None:
                raise SystemExit(f"it has ended:\n{output.read_text()}")
            url = output.read_text().rpartition("ready: http")[2].split()[0]
            started = Installation(folder / "home", f"http{url}", psutil.Process(process.pid))
            async with started.gateway, started.prefect:
                yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)
