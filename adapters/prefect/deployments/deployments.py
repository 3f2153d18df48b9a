"""Playbooks as Prefect deployments: one flow per name, one deployment per repository."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.process import ProcessWorker

from prefect_phantom.adapters.between.prefect.work_pool import TYPE, completed, default_template
from prefect_phantom.adapters.prefect.deployments import for_each_container
from prefect_phantom.adapters.prefect.deployments.containment import Containment
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.playbooks.playbooks import Playbook
from prefect_phantom.flows.playbook import prefect_name

STOCK_POOL = "phantom-process"
"""The pool whose runs any stock process worker can carry out."""
RUN_COMMAND = "python -P -m prefect_phantom.flows.process.cold"
"""What a process worker starts for each run, by the `python` on its PATH."""
logger = logging.getLogger("prefect_phantom.deployments")


class Deployments:
    """Registers playbooks in Prefect, and leaves alone what people changed there."""

    def __init__(self, *, database: Database, client: PrefectClient, settings: Settings) -> None:
        self.database = database
        self.client = client
        self.settings = settings
        self._containment = Containment(logger)

    async def register_all(self) -> None:
        """Register every playbook that imports and has changed, or that Prefect has lost.

        One that Prefect refuses stops no other.
        """
        await self._ensure_work_pools()
        for playbook in await playbooks.read_all(self.database):
            if playbook.startable:
                await self._register_or_log(playbook)
        with self._containment.of(for_each_container, "Runs for each container do not start"):
            await for_each_container.register(self.client, self.settings.work_pool)

    async def register_changed(self) -> None:
        """Register every playbook of which Prefect was told something else, or nothing, last.

        It may have been refused, or another gateway have told of an older one.
        """
        for playbook in await playbooks.read_all(self.database):
            if playbook.startable and not _is_registered(playbook):
                await self._register_or_log(playbook)

    async def registered(self, playbook: Playbook) -> UUID:
        """Id of the deployment, which is made or updated first if it says other than the row.

        For before a run is created: its code may be elsewhere than what is registered says.
        """
        if playbook.deployment_id and _is_registered(playbook):
            return playbook.deployment_id
        return await self.register(playbook)

    async def register(self, playbook: Playbook) -> UUID:
        """Make or update the playbook's deployment and return its id.

        Schedules, parameters, tags and job variables that people set in Prefect stay. So does the
        isolation that they chose there, until the playbook says another one than it did.
        """
        fields, digest = self._fields(playbook), playbook.deployment_digest
        isolation = {"isolation": playbook.isolation}
        said_anew = playbook.isolation != playbook.registered_isolation
        existing = await self._find(playbook)
        if existing is not None:
            if digest == playbook.registered_digest and not said_anew:
                return existing.id
            if said_anew:
                fields["job_variables"] = {**existing.job_variables, **isolation}
            await self.client.update_deployment(existing.id, DeploymentUpdate(**fields))
            deployment_id = existing.id
        else:
            deployment_id = await self.client.create_deployment(
                flow_id=await self.client.create_flow_from_name(prefect_name(playbook.name)),
                name=prefect_name(playbook.repository),
                work_pool_name=self.settings.work_pool,
                tags=[*playbook.tags, f"repository:{playbook.repository}"],
                enforce_parameter_schema=True,
                job_variables=isolation,
                **fields,
            )
        await playbooks.record_deployment(
            self.database, playbook.id, deployment_id, digest=digest, isolation=playbook.isolation
        )
        logger.info("Registered %s/%s in Prefect", playbook.repository, playbook.name)
        return deployment_id

    async def _register_or_log(self, playbook: Playbook) -> None:
        named = f"{playbook.repository}/{playbook.name}"
        with self._containment.of(playbook.id, f"{named} is not registered in Prefect"):
            await self.register(playbook)

    def _fields(self, playbook: Playbook) -> dict[str, Any]:
        steps = [
            {"prefect.deployments.steps.set_working_directory": {"directory": playbook.folder}}
        ]
        return {
            "entrypoint": playbook.entrypoint,
            "description": playbook.description,
            "parameter_openapi_schema": playbook.parameter_schema,
            "pull_steps": steps if playbook.folder else [],
        }

    async def _find(self, playbook: Playbook) -> DeploymentResponse | None:
        name = f"{prefect_name(playbook.name)}/{prefect_name(playbook.repository)}"
        try:
            return await self.client.read_deployment_by_name(name)
        except ObjectNotFound:
            return None

    async def _ensure_work_pools(self) -> None:
        await self._ensure_work_pool(
            self.settings.work_pool if self.settings.worker_type == TYPE else TYPE,
            TYPE,
            "Runs playbooks in processes forked from warm templates.",
            default_template(),
        )
        template = ProcessWorker.get_default_base_job_template()
        template["variables"]["properties"]["command"]["default"] = RUN_COMMAND
        await self._ensure_work_pool(
            self.settings.work_pool
            if self.settings.worker_type == ProcessWorker.type
            else STOCK_POOL,
            ProcessWorker.type,
            "Runs playbooks by Prefect's stock process worker, each in a cold interpreter.",
            template,
        )

    async def _ensure_work_pool(
        self, name: str, worker_type: str, description: str, template: dict[str, Any]
    ) -> None:
        try:
            await self.client.create_work_pool(
                WorkPoolCreate(
                    name=name,
                    type=worker_type,
                    description=description,
                    base_job_template=template,
                )
            )
        except ObjectAlreadyExists:
            await self._complete_work_pool(name)

    async def _complete_work_pool(self, name: str) -> None:
        """Add the settings that an earlier version did not know; people's own values stay."""
        present = await self.client.read_work_pool(name)
        full = completed(present.base_job_template)
        if present.type == TYPE and full != present.base_job_template:
            await self.client.update_work_pool(name, WorkPoolUpdate(base_job_template=full))
            logger.info("Added the settings that work pool %s lacked", name)


def _is_registered(playbook: Playbook) -> bool:
    """Whether Prefect was told last what the row says."""
    told = (playbook.registered_digest, playbook.registered_isolation)
    return playbook.deployment_id is not None and told == (
        playbook.deployment_digest,
        playbook.isolation,
    )
