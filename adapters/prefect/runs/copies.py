"""Copies of flow runs: `Copy to new run` in Prefect's page repeats the parameters of a run."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from prefect_phantom.adapters.errors import FlowRunUnknown
from prefect_phantom.adapters.store.runs.attempts import ClaimRequest

ANSWER_SECONDS = 5.0


async def is_copy(client: PrefectClient, claim: ClaimRequest, dispatch_key: UUID) -> bool:
    """Whether somebody made the flow run that claims of one that was made with `dispatch_key`.

    One that carries the key itself is none. Prefect's keys hold per flow: when a flow was renamed,
    or a database restored, the dispatcher may have made a run twice.

    Raises `FlowRunUnknown` while Prefect does not answer.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            flow_run = await client.read_flow_run(claim.flow_run_id)
    except ObjectNotFound:
        return False
    except (httpx.HTTPError, TimeoutError) as error:
        raise FlowRunUnknown from error
    named = flow_run.parameters.get("playbook_run_id")
    return flow_run.idempotency_key != str(dispatch_key) and named == claim.playbook_run_id
