"""The installation under test: a real `prefect-phantom up`, started anew when it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from prefect_phantom.adapters.process.process_marks import (
    HOME_VARIABLE,
    PART_VARIABLE,
    environment_of,
)
from prefect_phantom.adapters.supervisor.home.leftover import find_leftovers
from prefect_phantom.adapters.supervisor.port import free_ports
from tests.benchmarks.process import ROOT, says
from tests.chaos.witness import Witnesses

HERE = Path(__file__).parent
USER, PASSWORD = "admin", "chaos"
START_SECONDS = 180
STOP_SECONDS = 60
COMMANDS = {
    "up": "prefect-phantom up",
    "gateway": "prefect_phantom.adapters.cli gateway",
    "lease server": "prefect_phantom.adapters.gateway.lease_server",
    "worker": "prefect_phantom.adapters.cli worker",
    "runner": "prefect worker start",
    "template": "prefect_phantom.flows.process.warm.template",
    "prefect": "prefect server start",
    "postgres": "bin/postgres",
}
"""How a part is known among the processes of the home: by words of its command line."""


class Installation:
    """One home, and the `up` that works on it."""

    def __init__(
        self, folder: Path, *, worker: str = "phantom", slots: int = 4, secure: bool = False
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.witnesses = Witnesses(folder / "witness")
        self.worker = worker
        self.slots = slots
        self.grace = 5.0 if worker == "phantom" else 30.0
        self.port, self.prefect_port, self.runtime_port = free_ports("127.0.0.1", 3)
        self.url = f"{'https' if secure else 'http'}://127.0.0.1:{self.port}"
        self.up: subprocess.Popen[bytes] | None = None
        self._starts = 0
        pool = "phantom" if worker == "phantom" else "phantom-process"
        kept = {name: text for name, text in os.environ.items() if "PREFECT" not in name}
        self._environment = kept | {
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "PREFECT_PHANTOM_ADMIN_PASSWORD": PASSWORD,
            "PREFECT_PHANTOM_HTTP": "false" if secure else "true",
            "PREFECT_PHANTOM_RUNTIME_PORT": str(self.runtime_port),
            "PREFECT_PHANTOM_WORKER_TYPE": worker,
            "PREFECT_PHANTOM_WORK_POOL": pool,
        }

    def prepare(self) -> None:
        """Make the folders, before anything is mounted in them or started."""
        self.home.mkdir(mode=0o700)
        self.witnesses.folder.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE / "playbooks", self.folder / "playbooks", ignore=ignored)

    async def start(self) -> None:
        """Start `up` on the home and return when it serves."""
        self._starts += 1
        output = self.folder / f"up-{self._starts}.log"
        self.up = self._launch(output)
        async with asyncio.timeout(START_SECONDS):
            while not says(output, "ready: http"):
                if self.up.poll() is not None:
                    raise RuntimeError(f"up ended before it was ready:\n{output.read_text()}")
                await asyncio.sleep(0.1)

    def _launch(self, output: Path) -> subprocess.Popen[bytes]:
        program = str(Path(sys.executable).with_name("prefect-phantom"))
        where = ["--home", str(self.home), "--playbooks", str(self.folder / "playbooks")]
        ports = ["--port", str(self.port), "--prefect-port", str(self.prefect_port)]
        with output.open("wb") as log:
            return subprocess.Popen(
                [program, "up", *where, *ports, "--sample-data"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )

    async def set_slots(self) -> None:
        """Say in the work pool, as its page in the Prefect UI does, how many run at once."""
        pool = await self.prefect("GET", "/work_pools/phantom")
        template = pool["base_job_template"]
        template["variables"]["properties"]["slots"]["default"] = self.slots
        await self.prefect("PATCH", "/work_pools/phantom", {"base_job_template": template})

    async def stop(self) -> list[str]:
        """Stop `up` by SIGTERM; return what of the home is alive afterwards."""
        if self.up is not None and self.up.poll() is None:
            self.up.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(self.up.wait, STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.up.kill()
                self.up.wait()
        leftovers = find_leftovers(self.home)
        for leftover in leftovers:
            leftover.send(signal.SIGKILL)
            leftover.close()
        return [f"{leftover.part} ({leftover.pid})" for leftover in leftovers]

    def processes(self) -> Iterator[psutil.Process]:
        """Every process with the mark of this home."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = environment_of(process)
                if (
                    environment.get(HOME_VARIABLE) == str(self.home)
                    and PART_VARIABLE in environment
                ):
                    yield process

    def part(self, name: str) -> psutil.Process | None:
        """The process of one part, see `COMMANDS`, or the guardian; None when there is none."""
        if name == "up":
            return psutil.Process(self.up.pid) if self.up and self.up.poll() is None else None
        if name == "guardian":
            return self._guardian()
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if COMMANDS[name] in " ".join(process.cmdline()):
                    found.append(process)
        # Forked processes have the command line of their parent.
        numbers = {process.pid for process in found}
        with contextlib.suppress(psutil.Error):
            return next((each for each in found if each.ppid() not in numbers), None)
        return None

    def _guardian(self) -> psutil.Process | None:
        """The worker's guardian, without the mark by which the leftovers of a worker are ended."""
        with contextlib.suppress(psutil.Error):
            if (runner := self.part("runner")) is not None:
                for process in runner.children():
                    if "flows/process/guardian" in " ".join(process.cmdline()):
                        return process
        return None

    async def whole(self, seconds: float = START_SECONDS) -> None:
        """Return when gateway and Prefect server say that they are ready.

        Raises:
            TimeoutError: not within so many seconds.
        """
        auth = self.prefect_auth
        async with httpx.AsyncClient(timeout=5) as client, asyncio.timeout(seconds):
            for url in (f"{self.url}/readyz", f"{self.prefect_url}/ready"):
                while not await _answers(client, url, auth):
                    await asyncio.sleep(0.2)

    @property
    def prefect_url(self) -> str:
        """The API of the Prefect server."""
        return f"http://127.0.0.1:{self.prefect_port}/api"

    @property
    def prefect_auth(self) -> tuple[str, str]:
        """User and password of the Prefect server."""
        user, _, password = (self.home / "prefect.auth").read_text().strip().partition(":")
        return user, password

    async def prefect(self, method: str, path: str, body: object = None) -> Any:
        """The answer of the Prefect server's API."""
        async with httpx.AsyncClient(auth=self.prefect_auth, timeout=30) as client:
            answer = await client.request(method, f"{self.prefect_url}{path}", json=body)
            answer.raise_for_status()
            return answer.json() if answer.content else None

    async def rows(self, database: str, query: str, *values: object) -> list[asyncpg.Record]:
        """The rows of one query, over the socket in the home."""
        sockets = str(self.home / "postgres" / "socket")
        connection = await asyncpg.connect(host=sockets, user="postgres", database=database)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    async def progress(self) -> tuple[int, int]:
        """How many runs have not ended, and how many are not settled."""
        query = (
            "SELECT count(*) FILTER (WHERE end_time IS NULL) AS open,"
            " count(*) FILTER (WHERE NOT settled) AS unsettled FROM playbook_runs"
        )
        row = (await self.rows("phantom", query))[0]
        return row["open"], row["unsettled"]

    async def open_runs(self) -> list[int]:
        """Ids of the runs that have not ended."""
        query = "SELECT id FROM playbook_runs WHERE end_time IS NULL"
        return [row["id"] for row in await self.rows("phantom", query)]

    async def all_ended(self, patience: float) -> None:
        """Return when all runs have ended and settled, or nothing has changed for so long."""
        before, changed = (-1, -1), time.monotonic()
        while time.monotonic() - changed < patience:
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                now = await self.progress()
                if now == (0, 0):
                    return
                if now != before:
                    before, changed = now, time.monotonic()
            await asyncio.sleep(0.5)


async def _answers(client: httpx.AsyncClient, url: str, auth: tuple[str, str]) -> bool:
    try:
        return (await client.get(url, auth=auth)).is_success
    except httpx.TransportError:
        return False


@contextlib.asynccontextmanager
async def installation(
    *, worker: str = "phantom", slots: int = 4, mounts: bool = False, secure: bool = False
) -> AsyncIterator[Installation]:
    """Started; stopped and removed at the end, whatever happens.

    With `mounts` the folders of the database and of the logs are small file systems of their own,
    with `secure` the contract is served by TLS.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    system = Installation(folder, worker=worker, slots=slots, secure=secure)
    system.prepare()
    mounted: list[Path] = []
    try:
        if mounts:
            mounted = [_mount(system.home / name, size) for name, size in SIZES.items()]
        await system.start()
        if worker == "phantom":
            await system.set_slots()
        yield system
    finally:
        await system.stop()
        for each in mounted:
            _unmount(each)
        shutil.rmtree(folder, ignore_errors=True)


SIZES = {"postgres": "700m", "logs": "16m"}


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(folder: Path, size: str) -> Path:
    folder.mkdir(mode=0o700)
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0700", "chaos", str(folder)]
    subprocess.run(["mount", *options], check=True)
    return folder
