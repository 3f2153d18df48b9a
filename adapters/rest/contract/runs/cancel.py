"""How a run is cancelled, whoever asks for it and by whichever path."""

from __future__ import annotations

from starlette.requests import Request

from prefect_phantom.adapters.rest.gateway import Gateway, caller
from prefect_phantom.adapters.store.runs import playbook_runs


async def cancel(request: Request, playbook_run_id: int, reason: str | None = None) -> None:
    """Cancel a run that has not ended; back when the cancel is durable.

    Asking again while it is carried out changes nothing. Raises `NotFound` and
    `AlreadyFinished`.
    """
    gateway = Gateway.of(request)
    user = caller(request)
    text = f"Cancelled by {user.username}"
    flow_run_id = await playbook_runs.request_cancel(
        gateway.database,
        playbook_run_id,
        user_id=user.id,
        text=f"{text}: {reason}" if reason else text,
    )
    if flow_run_id is not None:
        # Whatever is slow or away meanwhile, the worker hears of it now.
        gateway.stop(flow_run_id)
    gateway.reconcile.notify()
    gateway.dispatch.notify()
