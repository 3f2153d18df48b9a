"""The states that a worker gives to the flow runs that it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed, Pending, Scheduled

AGAIN_SECONDS = 5.0
"""Until a run is tried again that could not begin."""


async def claim(client: PrefectClient, flow_run: FlowRun) -> bool:
    """Take the flow run by its Pending state; False when it was taken or cancelled meanwhile."""
    pending: State[None] = Pending()
    claimed = await client.set_flow_run_state(flow_run.id, pending)
    flow_run.state = claimed.state
    return claimed.status is SetStateStatus.ACCEPT


async def put_back(client: PrefectClient, flow_run_id: UUID, message: str) -> None:
    """Have it taken again in a while: nothing has begun, and another try may do better."""
    later: State[None] = Scheduled(
        scheduled_time=datetime.now(UTC) + timedelta(seconds=AGAIN_SECONDS),
        message=message,
    )
    await client.set_flow_run_state(flow_run_id, later, force=True)


async def crash(client: PrefectClient, flow_run_id: UUID, message: str) -> None:
    """It cannot begin, as `message` says."""
    crashed: State[None] = Crashed(message=message)
    await client.set_flow_run_state(flow_run_id, crashed, force=True)


async def is_suspended(client: PrefectClient, flow_run_id: UUID) -> bool:
    """Whether it waits to be resumed."""
    try:
        state = (await client.read_flow_run(flow_run_id)).state
    except ObjectNotFound:
        return False
    return state is not None and state.is_paused()
