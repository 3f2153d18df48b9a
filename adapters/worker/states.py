"""The states that a worker gives to the flow runs that it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Pending, Scheduled

NOT_BEGUN = "It was cancelled before it began"


async def claim(client: PrefectClient, flow_run: FlowRun) -> bool:
    """Take the flow run by its Pending state; False when it was taken or cancelled meanwhile."""
    pending: State[None] = Pending()
    claimed = await client.set_flow_run_state(flow_run.id, pending)
    flow_run.state = claimed.state
    return claimed.status is SetStateStatus.ACCEPT


async def put_back(
    client: PrefectClient, flow_run: FlowRun, message: str, *, seconds: float
) -> None:
    """Have it taken again after `seconds`: nothing has begun, and another try may do better."""
    time = datetime.now(UTC) + timedelta(seconds=seconds)
    await _leave(client, flow_run, Scheduled(scheduled_time=time, message=message))


async def crash(client: PrefectClient, flow_run: FlowRun, message: str) -> None:
    """It cannot begin, as `message` says."""
    await _leave(client, flow_run, Crashed(message=message))


async def is_suspended(client: PrefectClient, flow_run_id: UUID) -> bool:
    """Whether it waits to be resumed."""
    state = await _read(client, flow_run_id)
    return state is not None and state.is_paused()


async def _leave(client: PrefectClient, flow_run: FlowRun, state: State[None]) -> None:
    """Give a flow run that was claimed and has not begun another state, if it is still ours.

    A cancel is not overruled, and carried out: there is nothing to be ended.
    """
    present: State[Any] | None = await _read(client, flow_run.id)
    if present is not None and flow_run.state is not None and present.id == flow_run.state.id:
        # Prefect itself refuses it of one that is being cancelled from now on.
        present = (await client.set_flow_run_state(flow_run.id, state)).state
    if present is not None and present.is_cancelling():
        cancelled: State[None] = Cancelled(message=NOT_BEGUN)
        await client.set_flow_run_state(flow_run.id, cancelled)


async def _read(client: PrefectClient, flow_run_id: UUID) -> State[Any] | None:
    """Its state; None when it was deleted."""
    try:
        return (await client.read_flow_run(flow_run_id)).state
    except ObjectNotFound:
        return None
