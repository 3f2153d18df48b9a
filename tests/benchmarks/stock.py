"""Stock Prefect on the same server: process workers of Prefect's own, and what they run."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from tests.benchmarks.installation import HERE, Installation
from tests.benchmarks.process import running, says

FLOWS = ("two_tasks", "forty_tasks")


@dataclass(frozen=True)
class Stock:
    """One work pool with one worker; `deployments` are the ids by the name of the flow."""

    system: Installation
    name: str
    deployments: dict[str, str]

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


def later() -> dict[str, Any]:
    """Body of a flow run that is due in a week, so that no worker takes it."""
    due = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    return {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}}


async def delete_scheduled(system: Installation) -> None:
    """Delete the flow runs that are not due yet."""
    chosen = {
        "expected_start_time": {"after_": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    }
    while True:
        body = {"flow_runs": chosen, "limit": 50}
        answer = await system.prefect.post("/flow_runs/bulk_delete", json=body)
        if not answer.raise_for_status().json()["deleted"]:
            return


async def _post(system: Installation, path: str, body: dict[str, Any]) -> str:
    answer = await system.prefect.post(path, json=body)
    return str(answer.raise_for_status().json()["id"])


@contextlib.asynccontextmanager
async def stock(system: Installation, name: str, query_seconds: int) -> AsyncIterator[Stock]:
    """A stock process worker that polls every so many seconds, started and polling."""
    pool = f"bench-{name}"
    await _post(system, "/work_pools/", {"name": pool, "type": "process"})
    folder = system.home.parent / pool  # alone, since it comes first in the path of imports
    folder.mkdir()
    shutil.copy(HERE / "stock_flow.py", folder)
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}
    deployments = {}
    for flow in FLOWS:
        body = {
            "name": name,
            "flow_id": await _post(system, "/flows/", {"name": flow.replace("_", "-")}),
            "entrypoint": f"stock_flow.py:{flow}",
            "pull_steps": [step],
            "work_pool_name": pool,
        }
        deployments[flow] = await _post(system, "/deployments/", body)
    variables = {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_API_URL": system.prefect_url,
        "PREFECT_API_AUTH_STRING": system.prefect_auth,
        "PREFECT_WORKER_QUERY_SECONDS": str(query_seconds),
        "PYTHONUNBUFFERED": "1",
    }
    output: Path = system.home.parent / f"{pool}.log"
    command = [str(Path(sys.executable).with_name("prefect")), "worker", "start"]
    with running([*command, "--type", "process", "--pool", pool], output, variables, patience=1):
        async with asyncio.timeout(60):
            while not says(output, " started!"):
                await asyncio.sleep(0.2)
        yield Stock(system, name, deployments)
