"""What workers say of the playbooks that they have."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.rest.runtime.messages.workers import Deployments, PlaybookReport
from prefect_phantom.adapters.rest.runtime.runtime_credential import key, runtime_route
from prefect_phantom.adapters.rest.runtime.runtime_message import read
from prefect_phantom.adapters.store.playbooks import playbook_reports, playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook


async def _report(request: Request) -> Response:
    """A worker has found these playbooks; `known` tells whether the gateway has all it needs."""
    message = await read(request, PlaybookReport)
    state = request.app.state
    worker: str = request.path_params["name"]
    if message.playbooks is None:
        known = await playbook_reports.renew(state.database, worker, message.digest)
        return answer({"known": known})
    report = playbook_reports.Report(
        worker=worker,
        digest=message.digest,
        playbooks=[FoundPlaybook(**dict(each)) for each in message.playbooks],
        empty_folders=message.empty_folders,
        lasting=message.lasting,
        app_secrets=message.app_secrets,
    )
    await playbook_reports.keep(state.database, report, state.settings.known_repositories)
    state.reported.notify()
    return answer({"known": True})


async def _lacking(request: Request) -> Response:
    """Which deployments a worker must leave, and which version of each is registered in Prefect.

    It leaves them to others where it has other code of them, and for later where Prefect does not
    say yet where their code is now. What it has read of another version is not to be used.
    """
    message = await read(request, Deployments)
    database, ids = request.app.state.database, message.deployment_ids
    lacked = set(await playbook_reports.lacked(database, request.path_params["name"], ids))
    deployed = await playbooks.read_deployed(database, ids)
    lacked.update(
        each.deployment_id
        for each in deployed
        if each.deployment_id
        and each.startable
        and each.registered_digest != each.deployment_digest
    )
    return answer(
        {
            "deployment_ids": [str(each) for each in lacked],
            "versions": {str(each.deployment_id): each.registered_digest for each in deployed},
        }
    )


ROUTES = [
    runtime_route("workers/{name}/playbooks", key, _report),
    runtime_route("workers/{name}/lacking", key, _lacking),
]
