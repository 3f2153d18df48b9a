"""Prints, as JSON, what Prefect's own worker for containers would start for a flow run.

``python rendered_job.py TYPE WORK_POOL FLOW_RUN_ID``; started with Prefect's integrations on the
path, by ``test_containers.py``. Nothing but the container daemon and the cluster is missing.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client


async def render(pool_type: str, work_pool: str, flow_run_id: UUID) -> Any:
    module = importlib.import_module(f"prefect_{pool_type}.worker")
    kind = getattr(module, f"{pool_type.capitalize()}Worker")
    async with get_client() as client:
        configuration = await kind.job_configuration.resolve_for_flow_run(
            await client.read_flow_run(flow_run_id),
            client=client,
            work_pool=await client.read_work_pool(work_pool),
            worker_name="stock in a container",
        )
    if pool_type == "kubernetes":
        return configuration.job_manifest
    daemon = SimpleNamespace(version=lambda: {"Version": "28.0"})  # asked for nothing else
    return kind(work_pool)._build_container_settings(daemon, configuration)


if __name__ == "__main__":
    pool_type, work_pool, flow_run_id = sys.argv[1:]
    print(json.dumps(asyncio.run(render(pool_type, work_pool, UUID(flow_run_id)))))
