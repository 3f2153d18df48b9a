"""What workers say of the playbooks that they have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from pydantic import Field, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from adapters.rest.responses import answer
from adapters.rest.runtime_credential import key, runtime_route
from adapters.rest.runtime_message import RuntimeMessage, read
from adapters.store import playbook_reports
from adapters.store.found_playbooks import FoundPlaybook
from flows.definition import Isolation

MOST_PLAYBOOKS = 10_000
LONGEST_PATH = 4096
LONGEST_TEXT = 100_000


class _Found(RuntimeMessage):
    repository: str = Field(min_length=1, max_length=255)
    name: str = Field(pattern=r"\D", max_length=255)
    folder: str | None = Field(max_length=LONGEST_PATH)
    entrypoint: str = Field(min_length=1, max_length=LONGEST_PATH)
    description: str = Field(default="", max_length=LONGEST_TEXT)
    category: str = ""
    labels: Sequence[str] = ()
    tags: Sequence[str] = ()
    parameter_schema: dict[str, JsonValue] | None = None
    isolation: Isolation = "fork"
    restartable: bool = False
    timeout_seconds: float | None = None
    input_schema: dict[str, JsonValue] | None = None
    output_schema: dict[str, JsonValue] | None = None
    error: str = Field(default="", max_length=LONGEST_TEXT)
    digest: str = Field(max_length=255)


class _Report(RuntimeMessage):
    largest_bytes = 4 * 1024 * 1024
    digest: str = Field(min_length=1, max_length=255)
    lasting: bool = False
    empty_folders: Sequence[str] = ()
    app_secrets: dict[str, list[str]] | None = Field(default=None, max_length=MOST_PLAYBOOKS)
    playbooks: list[_Found] | None = Field(default=None, max_length=MOST_PLAYBOOKS)
    """Left out by a worker that says no more than that it still has them."""


class _Deployments(RuntimeMessage):
    largest_bytes = 1024 * 1024
    deployment_ids: list[UUID] = Field(max_length=MOST_PLAYBOOKS)


async def _report(request: Request) -> Response:
    """A worker has found these playbooks; `known` tells whether the gateway has all it needs."""
    message = await read(request, _Report)
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
    repositories = await asyncio.to_thread(state.settings.known_repositories)
    await playbook_reports.keep(state.database, report, repositories)
    state.reported.notify()
    return answer({"known": True})


async def _lacking(request: Request) -> Response:
    """Which of the deployments a worker must leave to others, since it has other code of them."""
    message = await read(request, _Deployments)
    lacked = await playbook_reports.lacked(
        request.app.state.database, request.path_params["name"], message.deployment_ids
    )
    return answer({"deployment_ids": [str(each) for each in lacked]})


ROUTES = [
    runtime_route("workers/{name}/playbooks", key, _report),
    runtime_route("workers/{name}/lacking", key, _lacking),
]
