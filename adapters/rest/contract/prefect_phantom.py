"""``/rest/prefect_phantom``: what is ours and not of the contract, for administrators."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.rest.contract.times import timestamp
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.security.administrator import has_shown_password, is_guessable
from prefect_phantom.adapters.security.exposure import findings
from prefect_phantom.adapters.store.database import measures, schema
from prefect_phantom.adapters.store.playbooks import playbook_reports, worker_names
from prefect_phantom.adapters.store.playbooks.worker_names import Refusal
from prefect_phantom.adapters.store.playbooks.workers import KnownWorker
from prefect_phantom.adapters.store.starts import work_queues


@Operation(
    answer={
        "database": {},
        "prefect": {},
        "workers": [],
        "refused_workers": [],
        "runs": {},
        "work_queues": [],
        "playbook_reports": [],
        "exposure": [],
    }
)
async def health(request: Request) -> Response:
    """``/rest/prefect_phantom/health``: what only the gateway can see of itself and its parts."""
    gateway = Gateway.of(request)
    stored = await measures.read(gateway.database)
    runs = asdict(stored)
    del runs["workers"]
    return answer(
        {
            "database": asdict(await schema.read(gateway.database)),
            "prefect": asdict(await gateway.prefect()),
            "workers": [_worker(worker) for worker in stored.workers],
            "refused_workers": [_refusal(each) for each in await _refusals(gateway)],
            "runs": runs,
            "work_queues": [
                {"work_pool": queue.work_pool, "name": queue.name, "rule": queue.rule}
                for queue in await work_queues.read_all(gateway.database)
                if queue.rule
            ],
            "exposure": [
                asdict(finding)
                for finding in findings(
                    gateway.settings,
                    password_in_use=await is_guessable(gateway.database, gateway.settings),
                    has_shown_password=await has_shown_password(gateway.database, gateway.settings),
                )
            ],
            "playbook_reports": [
                asdict(report) | {"report_time": timestamp(report.report_time)}
                for report in await playbook_reports.read_all(gateway.database)
            ],
        }
    )


async def _refusals(gateway: Gateway) -> list[Refusal]:
    async with gateway.database.read() as connection:
        return await worker_names.refusals(connection)


def _refusal(refusal: Refusal) -> dict[str, object]:
    return asdict(refusal) | {"refused_time": timestamp(refusal.refused_time)}


def _worker(worker: KnownWorker) -> dict[str, object]:
    times = {"start_time": worker.start_time, "seen_time": worker.seen_time}
    return asdict(worker) | {name: timestamp(time) for name, time in times.items()}
