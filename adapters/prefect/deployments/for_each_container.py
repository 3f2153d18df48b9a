"""The deployment of the flow that starts a playbook on every container with a label.

It stands in Prefect from the first start on, so that schedules can be given to it in the UI.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema

from prefect_phantom.flows.finding.discovery import SHIPPED
from prefect_phantom.flows.inside.for_each_container import for_each_container as flow

logger = logging.getLogger("prefect_phantom.deployments")


async def register(client: PrefectClient, work_pool: str) -> None:
    """Make or update it. Schedules, parameters and tags that people set in Prefect stay."""
    function = flow.fn
    fields: dict[str, Any] = {
        "entrypoint": f"{function.__module__}.{function.__name__}",
        "description": inspect.getdoc(function),
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
    }
    try:
        existing = await client.read_deployment_by_name(f"{flow.name}/{SHIPPED}")
    except ObjectNotFound:
        await client.create_deployment(
            flow_id=await client.create_flow_from_name(flow.name),
            name=SHIPPED,
            work_pool_name=work_pool,
            tags=[f"repository:{SHIPPED}"],
            enforce_parameter_schema=True,
            pull_steps=[],
            **fields,
        )
        logger.info("Registered %s in Prefect", flow.name)
        return
    if any(getattr(existing, name) != value for name, value in fields.items()):
        await client.update_deployment(existing.id, DeploymentUpdate(**fields))
