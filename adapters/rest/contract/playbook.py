"""``/rest/playbook``: change what callers and administrators say of one. Lists are elsewhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.errors import AlreadyFinished, NotFound, NotRequested
from prefect_phantom.adapters.rest.contract.runs.cancel import cancel
from prefect_phantom.adapters.rest.gateway import Gateway, require
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import FLAG, IDENTIFIER
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.listing.request import Condition, Given
from prefect_phantom.adapters.store.playbooks import forgotten_playbooks, playbooks
from prefect_phantom.adapters.store.runs import playbook_runs

CHANGEABLE = ("active", "cancel_runs")
PRESENT = Condition("gone", Given("false", content=False))
"""Of what is listed: that its file is there."""
DONE = {"message": "Operation successful", "success": True}
"""The vendor's answer."""


@Operation(
    body={
        "active": FLAG,
        "cancel_runs": FLAG,
        "id": IDENTIFIER,
        "forget": FLAG,
        "preview": FLAG,
    },
    sent={"active": False, "cancel_runs": True},
    answer=DONE,
    optional=["message"],
)
async def change(request: Request) -> Response:
    """Make a playbook active or not, cancel its runs; give it another id, or forget it (ours).

    Only one whose file is gone is forgotten; `preview` answers what would go with it.
    """
    playbook_id = path_identifier(request, "Playbook")
    fields = Fields(await read_object(request))
    if "id" in fields.body:
        return await _set_id(request, playbook_id, fields)
    if "forget" in fields.body:
        return await _forget(request, playbook_id, fields)
    fields.refuse_others(CHANGEABLE, "playbook")
    active = fields.flag("active")
    cancels = fields.flag("cancel_runs")
    if cancels:
        require(request, Permission.CANCEL)
    elif active is None:
        fields.require("active")
    await playbooks.set_active(Gateway.of(request).database, playbook_id, active)
    if cancels:
        await _cancel_runs(request, playbook_id)
    return answer(DONE)


async def _cancel_runs(request: Request, playbook_id: int) -> None:
    """Cancel the runs that are open now, each as if it alone were cancelled."""
    for run_id in await playbook_runs.open_runs(Gateway.of(request).database, playbook_id):
        try:
            await cancel(request, run_id)
        except (AlreadyFinished, NotFound):
            continue  # meanwhile, which is just as good


async def _forget(request: Request, playbook_id: int, fields: Fields) -> Response:
    """Delete the playbook's deployment with its schedules, end what waits, delete its row."""
    fields.refuse_others(["forget", "preview"], "playbook that is forgotten")
    if not fields.asks("forget"):
        raise NotRequested("forget", updating=True)
    gateway, preview = Gateway.of(request), bool(fields.flag("preview"))
    gone = await forgotten_playbooks.read(gateway.database, playbook_id)
    schedules = []
    if gone.deployment_id is not None:
        schedules = await gateway.deployments.schedules(gone.deployment_id)
    if not preview:
        gone = await forgotten_playbooks.forget(
            gateway.database, playbook_id, gateway.deployments.delete
        )
        gateway.reconcile.notify()
    return answer(
        {
            "success": True,
            "id": gone.id,
            "forgotten": not preview,
            "schedules": schedules,
            "playbook_runs": gone.waiting,
            "kept": gone.has_runs,
        }
    )


async def _set_id(request: Request, playbook_id: int, fields: Fields) -> Response:
    """Give a playbook another id. The field `id` and its effect are ours."""
    fields.refuse_others(["id"], "playbook that gets another id")
    new_id = fields.required_identifier("id")
    await playbooks.set_id(Gateway.of(request).database, playbook_id, new_id)
    return answer({"success": True, "id": new_id})
