"""What a worker needs to know of the deployments whose runs it carries out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse
from pydantic import ValidationError

from prefect_phantom.adapters.between.prefect.work_pool import PhantomJobConfiguration, configure
from prefect_phantom.adapters.worker.old_entrypoints import moved_to

WORKING_DIRECTORY = "prefect.deployments.steps.set_working_directory"
SECONDS = 10.0
"""How long a deployment that was read is taken to be the same."""
NAME_SECONDS = 600.0
"""How long flows and work queues are, of which a run's events say the name, and nothing depends."""

ReadNamed: TypeAlias = Callable[[UUID], Awaitable[Flow | WorkQueue]]


class CannotRun(Exception):
    """A flow run cannot be carried out as it is, however often it is tried."""


@dataclass(frozen=True, slots=True)
class KnownDeployment:
    """Where a deployment's code is, and what its runs belong to in Prefect."""

    entrypoint: str
    folder: str | None
    flow_id: UUID
    work_queue_id: UUID | None
    tags: list[str]
    related: list[dict[str, Any]]
    """For each thing that a run's events name: kind, key, id, name, tags."""
    base_job_template: dict[str, Any]
    """Of the deployment's work pool."""
    job_variables: dict[str, Any]
    configuration: PhantomJobConfiguration
    """What a run is started with that has no job variables of its own."""


class KnownDeployments:
    """Reads deployments, and each again only after a while."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._known: dict[UUID, tuple[float, KnownDeployment, str | None]] = {}
        self._registered: dict[UUID, str] = {}
        self._named: dict[UUID, tuple[float, dict[str, Any]]] = {}

    def expect(self, versions: Mapping[UUID, str]) -> None:
        """These are registered: what was read of older ones is not to be used any more."""
        self._registered.update(versions)

    async def read(
        self, deployment_id: UUID | None, *, version: str | None = None
    ) -> KnownDeployment:
        """What a deployment says, at the least in the `version` that the gateway has registered.

        Raises:
            CannotRun: its code cannot be run from a template.
        """
        if deployment_id is None:
            message = "The flow run belongs to no deployment"
            raise CannotRun(message)
        if version is not None:
            self.expect({deployment_id: version})
        now = asyncio.get_running_loop().time()
        read, known, before = self._known.get(deployment_id, (0.0, None, None))
        version = self._registered.get(deployment_id)
        if known is None or now - read > SECONDS or version != before:
            known = await self._read(deployment_id)
            self._known[deployment_id] = (now, known, version)
        return known

    async def _read(self, deployment_id: UUID) -> KnownDeployment:
        deployment = await self._client.read_deployment(deployment_id)
        steps = deployment.pull_steps or []
        if any(set(step) != {WORKING_DIRECTORY} for step in steps) or not deployment.entrypoint:
            message = (
                "A pool of type phantom runs code that lies on the worker's disk: only the "
                "pull step set_working_directory is known; use a pool of type process"
            )
            raise CannotRun(message)
        related = [
            await self._name("flow", deployment.flow_id, self._client.read_flow),
            _related("deployment", deployment, deployment.id),
        ]
        template: dict[str, Any] = {}
        if deployment.work_pool_name is not None:
            pool = await self._client.read_work_pool(deployment.work_pool_name)
            template = pool.base_job_template
            related.append(_related("work-pool", pool, pool.name))
        if deployment.work_queue_id is not None:
            queue_id = deployment.work_queue_id
            related.append(await self._name("work-queue", queue_id, self._client.read_work_queue))
        return KnownDeployment(
            entrypoint=moved_to(deployment) or deployment.entrypoint,
            folder=steps[-1][WORKING_DIRECTORY]["directory"] if steps else None,
            flow_id=deployment.flow_id,
            work_queue_id=deployment.work_queue_id,
            tags=deployment.tags,
            related=related,
            base_job_template=template,
            job_variables=deployment.job_variables,
            configuration=await self._configure(template, deployment.job_variables),
        )

    async def _name(self, kind: str, key: UUID, read: ReadNamed) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        read_at, named = self._named.get(key, (0.0, None))
        if named is None or now - read_at > NAME_SECONDS:
            named = _related(kind, await read(key), key)
            self._named[key] = (now, named)
        return named

    async def configuration(self, flow_run: FlowRun) -> PhantomJobConfiguration:
        """What a run is started with: the pool's settings, the deployment's, and its own.

        Raises:
            CannotRun: as for `read`, or they say something that cannot be.
        """
        known = await self.read(flow_run.deployment_id)
        if not flow_run.job_variables:
            return known.configuration
        return await self._configure(
            known.base_job_template, known.job_variables, flow_run.job_variables
        )

    async def _configure(
        self, template: dict[str, Any], *job_variables: dict[str, Any]
    ) -> PhantomJobConfiguration:
        try:
            return await configure(template, *job_variables, client=self._client)
        except ValidationError as error:
            message = f"The job variables do not fit: {error}"
            raise CannotRun(message) from error


def _related(
    kind: str, thing: Flow | DeploymentResponse | WorkPool | WorkQueue, key: object
) -> dict[str, Any]:
    tags = list(getattr(thing, "tags", []))
    return {"kind": kind, "key": str(key), "id": str(thing.id), "name": thing.name, "tags": tags}
