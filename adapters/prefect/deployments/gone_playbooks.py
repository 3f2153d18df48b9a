"""Playbooks whose file is gone: paused in Prefect with their schedules until it is back.

Nothing is deleted: with a deployment its schedules would go, and the runs that are suspended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Failed

from prefect_phantom.adapters.between.prefect.outage import PrefectAway
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.deployments.containment import Containment
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks.playbooks import (
    PAUSED,
    Playbook,
    note_paused,
    note_pausing,
    note_resumed,
    read_gone,
    settling,
)
from prefect_phantom.adapters.store.starts import refused_starts
from prefect_phantom.adapters.store.starts.refused_starts import RefusedStart
from prefect_phantom.flows.inside.display.visible_text import visible

NOT_BEGUN = [StateType.SCHEDULED, StateType.PENDING]
DIED = [StateType.CRASHED, StateType.FAILED]
PAGE = 200
LOOK_SECONDS = 5.0
SETTLE_SECONDS = 60.0
LATELY = timedelta(hours=1)
logger = logging.getLogger("prefect_phantom.deployments")


class GonePlaybooks:
    """Pauses deployments and resumes them, and ends what is started of them all the same."""

    def __init__(self, *, database: Database, client: PrefectClient, reconcile: Signal) -> None:
        self.database = database
        self.client = client
        self.reconcile = reconcile
        self._containment = Containment(logger)

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        while True:
            await self.settle()
            await asyncio.sleep(LOOK_SECONDS)

    async def settle(self) -> None:
        """Pause what is gone, resume what is back, and end what cannot begin."""
        if not await read_gone(self.database) and not await refused_starts.read_playbooks(
            self.database
        ):
            return
        try:
            async with asyncio.timeout(SETTLE_SECONDS), settling(self.database) as mine:
                if mine:  # another gateway does it otherwise
                    await self._settle()
        except TimeoutError as error:
            raise PrefectAway(f"not all was done within {SETTLE_SECONDS:g} s") from error

    async def _settle(self) -> None:
        for playbook in await read_gone(self.database):
            named = f"{playbook.repository}/{playbook.name}"
            with self._containment.of(playbook.id, f"{named} is not paused or resumed in Prefect"):
                if playbook.startable:
                    await self.resume(playbook)
                elif playbook.gone_time is not None and not playbook.may_come_back:
                    await self.pause(playbook)
        await self.refuse_starts()

    async def pause(self, playbook: Playbook) -> None:
        """Pause the playbook's deployment and the schedules that are active, and say so there.

        Which those are is noted first, so that a second try does not forget them.
        """
        if playbook.deployment_id is None or playbook.registered_digest == PAUSED:
            return
        deployment = await self._read(playbook.deployment_id)
        schedules = playbook.paused_schedules
        if schedules is None:
            found = [] if deployment is None else deployment.schedules
            schedules = [schedule.id for schedule in found if schedule.active]
            before = deployment is not None and deployment.paused
            await note_pausing(self.database, playbook.id, schedules, before=before)
        if deployment is not None:
            await self.client.pause_deployment(deployment.id)
            await self._set_active(deployment, schedules, active=False)
            said = f"{playbook.error}. The deployment is paused until it is back."
            description = f"{said}\n\n{playbook.description}".strip()
            await self.client.update_deployment(
                deployment.id, DeploymentUpdate(description=description)
            )
            logger.warning("%s/%s is paused: %s", playbook.repository, playbook.name, said)
        await note_paused(self.database, playbook.id)

    async def resume(self, playbook: Playbook) -> None:
        """Put deployment and schedules back to what they were when they were paused for this."""
        if playbook.paused_schedules is None or playbook.deployment_id is None:
            return
        deployment = await self._read(playbook.deployment_id)
        if deployment is not None:
            await self._set_active(deployment, playbook.paused_schedules, active=True)
            if not playbook.paused_before:
                await self.client.resume_deployment(deployment.id)
            await self.client.update_deployment(
                deployment.id, DeploymentUpdate(description=playbook.description)
            )
            logger.info("%s/%s is back", playbook.repository, playbook.name)
        await note_resumed(self.database, playbook.id)

    async def refuse_starts(self) -> None:
        """End the runs that wait for code which is not there, and those that began in Prefect."""
        playbooks = await refused_starts.read_playbooks(self.database)
        if not playbooks:
            return
        if await refused_starts.end_waiting(self.database, [each.id for each in playbooks]):
            self.reconcile.notify()
        by_deployment = {each.deployment_id: each for each in playbooks if each.deployment_id}
        if not by_deployment:
            return
        flow_runs = await self._begun_in_prefect(list(by_deployment), NOT_BEGUN)
        # Not longer ago: of what has ended the rows may have been removed by now.
        since = max(min(each.since for each in by_deployment.values()), datetime.now(UTC) - LATELY)
        flow_runs += await self._begun_in_prefect(list(by_deployment), DIED, since)
        known = await refused_starts.known(self.database, [each.id for each in flow_runs])
        for flow_run in flow_runs:
            if flow_run.id not in known and flow_run.deployment_id is not None:
                with self._containment.of(flow_run.id, f"Flow run {flow_run.id} is not refused"):
                    await self._refuse(flow_run, by_deployment[flow_run.deployment_id])

    async def _begun_in_prefect(
        self, deployment_ids: list[UUID], states: list[StateType], since: datetime | None = None
    ) -> list[FlowRun]:
        time = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC), after_=since)
        return await self.client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=deployment_ids)),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)),
                expected_start_time=time,
            ),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=PAGE,
        )

    async def _refuse(self, flow_run: FlowRun, playbook: RefusedStart) -> None:
        """Give a flow run that began in Prefect a row, which ends failed with the reason."""
        # One with a key and the id of a run is that run's, or was made twice for it; one with the
        # id alone was copied in Prefect, and is a run of its own.
        is_its_own = not (flow_run.idempotency_key and flow_run.parameters.get("playbook_run_id"))
        run_id = is_its_own and await refused_starts.record(
            self.database, playbook, flow_run.id, flow_run.parameters
        )
        if run_id:
            self.reconcile.notify()  # it has Prefect told of the end
            tags = sorted({*flow_run.tags, f"playbook_run:{run_id}"})
            await self.client.update_flow_run(flow_run.id, tags=tags)
        elif flow_run.state is not None and not flow_run.state.is_final():
            failed: State[None] = Failed(message=visible(playbook.error))
            await self.client.set_flow_run_state(flow_run.id, failed)

    async def _read(self, deployment_id: UUID) -> DeploymentResponse | None:
        try:
            return await self.client.read_deployment(deployment_id)
        except ObjectNotFound:
            return None

    async def _set_active(
        self, deployment: DeploymentResponse, schedule_ids: Sequence[UUID], *, active: bool
    ) -> None:
        for schedule in deployment.schedules:
            if schedule.id in schedule_ids and schedule.active is not active:
                await self.client.update_deployment_schedule(
                    deployment.id, schedule.id, active=active
                )
