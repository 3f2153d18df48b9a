"""Stock Prefect on the same server: `flow.serve` and Prefect's process worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from tests.benchmarks.installation import HERE, Installation
from tests.benchmarks.process import running, says
from tests.benchmarks.sides import DEFAULT_POLL, SERVE_1, SERVE_10

FLOWS = ("two_tasks", "forty_tasks", "four_hundred_tasks")
LIMIT = 4 * (os.cpu_count() or 1)
"""Most runs at once of each stock side: so many that processors limit it first."""


@dataclass(frozen=True)
class Stock:
    """One served file or one work pool with one worker, of which all stands still unless awake."""

    system: Installation
    process: psutil.Process
    deployments: Mapping[str, str]
    """Ids by the name of the flow."""

    def path(self, flow: str) -> str:
        """Where flow runs are created."""
        return f"/deployments/{self.deployments[flow]}/create_flow_run"

    async def start(self, flow: str = "two_tasks") -> str:
        """Id of a new flow run that is due now."""
        answer = await self.system.prefect.post(self.path(flow), json={})
        return str(answer.raise_for_status().json()["id"])

    async def ended(self, ids: Sequence[str], *, seconds: float = 120) -> list[asyncpg.Record]:
        """The rows of these flow runs when all have completed."""
        query = "SELECT * FROM flow_run WHERE id::text = ANY($1) AND end_time IS NOT NULL"
        connection = await self.system.connect("prefect")
        try:
            async with asyncio.timeout(seconds):
                while len(rows := await connection.fetch(query, list(ids))) < len(ids):
                    await asyncio.sleep(0.1)
        finally:
            await connection.close()
        if any(row["state_type"] != "COMPLETED" for row in rows):
            raise RuntimeError("a stock run failed")
        return rows

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Let it go on for the block, and then stand still: its polls would cost the others."""
        self.process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGSTOP)


def later() -> dict[str, Any]:
    """Body of a flow run that is due in a week, so that nobody takes it."""
    due = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    return {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}}


async def delete_scheduled(system: Installation, deployments: Sequence[str]) -> None:
    """Delete the flow runs of these deployments that nobody has taken."""
    chosen = {"state": {"type": {"any_": ["SCHEDULED"]}}}
    body = {
        "flow_runs": chosen,
        "deployments": {"id": {"any_": list(deployments)}},
        "limit": 50,
    }
    while True:
        answer = await system.prefect.post("/flow_runs/bulk_delete", json=body)
        if not answer.raise_for_status().json()["deleted"]:
            return


@contextlib.asynccontextmanager
async def stock(system: Installation, side: str) -> AsyncIterator[Stock]:
    """One stock side, started; asleep until it is measured."""
    served = side in {SERVE_10, SERVE_1}
    name = "".join(letter if letter.isalnum() else "-" for letter in side)
    folder = system.home.parent / name  # alone, since it comes first in the path of imports
    folder.mkdir()
    shutil.copy(HERE / "stock_flow.py", folder)
    seconds = "10" if side in DEFAULT_POLL else "1"
    variables = {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_API_URL": system.prefect_url,
        "PREFECT_API_AUTH_STRING": system.prefect_auth,
        "PREFECT_WORKER_QUERY_SECONDS": seconds,
        "PREFECT_RUNNER_POLL_FREQUENCY": seconds,
        "PYTHONUNBUFFERED": "1",
    }
    if served:
        command = [sys.executable, str(folder / "stock_flow.py"), name, str(LIMIT)]
        says_ready = "being served"
    else:
        await _work_pool(system, name, folder)
        program = str(Path(sys.executable).with_name("prefect"))
        command = [program, "worker", "start", "--type", "process", "--pool", name]
        command += ["--limit", str(LIMIT)]
        says_ready = " started!"
    output = system.home.parent / f"{name}.log"
    with running(command, output, variables, patience=1) as process:
        async with asyncio.timeout(60):
            while not says(output, says_ready):
                if process.poll() is not None:
                    raise RuntimeError(f"{side} ended:\n{output.read_text()}")
                await asyncio.sleep(0.2)
        deployments = {flow: await _deployment(system, flow, name) for flow in FLOWS}
        process.send_signal(signal.SIGSTOP)
        try:
            yield Stock(system, psutil.Process(process.pid), deployments)
        finally:
            process.send_signal(signal.SIGCONT)


async def _work_pool(system: Installation, name: str, folder: Path) -> None:
    """A pool of type process, and in it the deployments of the flows in `folder`."""
    await _post(system, "/work_pools/", {"name": name, "type": "process"})
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}
    for flow in FLOWS:
        body = {
            "name": name,
            "flow_id": await _post(system, "/flows/", {"name": flow.replace("_", "-")}),
            "entrypoint": f"stock_flow.py:{flow}",
            "pull_steps": [step],
            "work_pool_name": name,
        }
        await _post(system, "/deployments/", body)


async def _post(system: Installation, path: str, body: dict[str, Any]) -> str:
    answer = await system.prefect.post(path, json=body)
    return str(answer.raise_for_status().json()["id"])


async def _deployment(system: Installation, flow: str, name: str) -> str:
    path = f"/deployments/name/{flow.replace('_', '-')}/{name}"
    return str((await system.prefect.get(path)).raise_for_status().json()["id"])
