"""The worker type ``phantom``: runs are carried out in processes forked from warm templates.

``prefect worker start --type phantom --pool phantom``. The pool's settings show and can be edited
in the Prefect UI.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, Self
from uuid import UUID

import anyio.abc
import httpx
from prefect.client.schemas.objects import FlowRun
from prefect.workers.base import BaseWorker, BaseWorkerResult

from prefect_phantom.adapters.between.prefect.labels import REQUEST_LABEL
from prefect_phantom.adapters.between.prefect.work_pool import (
    SLOTS,
    TYPE,
    PhantomJobConfiguration,
    PhantomVariables,
    default_template,
)
from prefect_phantom.adapters.process.outage import Outage
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker import states
from prefect_phantom.adapters.worker.failed_tries import FailedTries
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.known_deployments import CannotRun, KnownDeployments
from prefect_phantom.adapters.worker.offered_runs import Offer, Turns, scheduled
from prefect_phantom.adapters.worker.preparation import Preparation, WaitingProcess, dismiss
from prefect_phantom.adapters.worker.processes.guardian import Guardian
from prefect_phantom.adapters.worker.processes.reused_process import ReusedRun
from prefect_phantom.adapters.worker.processes.reused_processes import ReusedProcesses
from prefect_phantom.adapters.worker.processes.run_process import RunProcess, end_orphans
from prefect_phantom.adapters.worker.processes.templates import Code, TemplateFailed, Templates
from prefect_phantom.flows.inside.log.log_format import ABOUT, format_all, log_ours
from prefect_phantom.flows.inside.runtime.ticket import (
    RUNTIME_KEY_VARIABLE,
    make_ticket,
    ticket_key,
)
from prefect_phantom.flows.process.guardian.process_tree import FLOW_RUN
from prefect_phantom.flows.process.undumpable import become_undumpable
from prefect_phantom.flows.process.warm.reaper import become_reaper
from prefect_phantom.flows.process.warm.run import COMPLETED, SUSPENDED

RECONNECT_SECONDS = 1.0
REFUSED_SECONDS = 30.0
"""Pause after the gateway has refused the runtime key."""
PREFETCH_SECONDS = 10
ORPHANS_SECONDS = 0.05
"""After so long it is looked at again whether those that were killed have left any."""
logger = logging.getLogger("prefect_phantom.worker")


class PhantomWorkerResult(BaseWorkerResult):
    """Exit code and process id of a run."""


class PhantomWorker(BaseWorker[PhantomJobConfiguration, PhantomVariables, PhantomWorkerResult]):
    """Takes runs as soon as a hint or a poll tells of them, has processes for them, and reaps."""

    type = TYPE
    job_configuration = PhantomJobConfiguration
    job_configuration_variables = PhantomVariables
    _description = "Run Phantom playbooks in processes forked from a warm template."
    _display_name = "Phantom"

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """What a new pool of this type can be set to."""
        return default_template()

    async def __aenter__(self) -> Self:
        """Start the template process and listen for hints."""
        become_undumpable()
        become_reaper()
        format_all()
        log_ours()
        settings = Settings()
        key = settings.runtime_key.get_secret_value() if settings.runtime_key else ""
        os.environ.pop(RUNTIME_KEY_VARIABLE, None)  # no process that this one starts has it
        self._ticket_key = ticket_key(key)
        self._gateway = GatewayClient(
            url=settings.runtime_url or "", key=key, worker=settings.worker_name
        )
        self._guardian = Guardian(
            url=settings.runtime_url or "", key=key, worker=settings.worker_name
        )
        self._templates = Templates()
        self._reused = ReusedProcesses(self._templates)
        self._processes: dict[UUID, RunProcess | ReusedRun] = {}
        # By flow run, as the job variables of its deployment have it.
        self._grace_seconds: dict[UUID, float] = {}
        self._turns = Turns()
        self._failed_tries = FailedTries()
        self._tasks: set[asyncio.Task[object]] = set()
        self._polling = asyncio.Lock()
        self._asking = False
        self._identity = {
            "type": self.type,
            "hostname": socket.gethostname(),
            "version": version("prefect-phantom"),
            "start_time": datetime.now(UTC).isoformat(),
        }
        await super().__aenter__()
        self._deployments = KnownDeployments(self.client)
        await self._guardian.start()
        await self._templates.start()
        self._start(self._listen())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop listening. Runs are ended by who stops the worker, not here."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reused.close()
        await self._templates.close()
        await self._guardian.close()
        await self._gateway.close()
        await super().__aexit__(*exc_info)

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Take what is scheduled, as far as slots are free. Called by each poll and by hints."""
        self._end_orphans()
        if self._work_pool is None:
            return []
        await self._stop_refused()
        return await self._ask()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: PhantomJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> PhantomWorkerResult:
        """Begin the run and wait for its end."""
        process = await self._begin(flow_run, await self._prepare(flow_run, configuration))
        if task_status is not None:
            task_status.started(process.process_id)
        code = await process.wait()
        return PhantomWorkerResult(
            identifier=str(process.process_id), status_code=0 if code == COMPLETED else code
        )

    async def _ask(self) -> list[FlowRun]:
        """Take those that Prefect has had for longest, whether or not they were offered.

        While offers keep every slot busy nobody else would ever have its turn. So no offer is taken
        meanwhile; and without a free slot the next one asks.
        """
        self._asking = True
        try:
            async with self._polling:
                return await self._take_scheduled()
        finally:
            self._asking = False
            self._fill_slots()

    async def _take_scheduled(self) -> list[FlowRun]:
        if self._free() <= 0:
            self._turns.ask_first()
            return []
        answer = await self.client.get_scheduled_flow_runs_for_work_pool(
            work_pool_name=self.work_pool.name,
            scheduled_before=datetime.now(UTC) + timedelta(seconds=PREFETCH_SECONDS),
            work_queue_names=list(self._work_queues) or None,
        )
        new = [entry.flow_run for entry in answer if entry.flow_run.id not in self._turns.taken]
        due = await self._with_code([flow_run for flow_run in new if self._is_due(flow_run)])
        taken = self._turns.found(due, max(0, self._free()))
        for flow_run in taken:
            self._start(self._carry_out(flow_run))
        return taken

    async def _with_code(self, flow_runs: list[FlowRun]) -> list[FlowRun]:
        """Those whose code this worker has as it should be; the others are left to others."""
        deployments = {each.deployment_id for each in flow_runs if each.deployment_id is not None}
        if not deployments:
            return flow_runs
        # Without an answer a run is claimed at the gateway later, which then looks at it, too.
        with suppress(httpx.HTTPError, GatewayRefused):
            lacking, versions = await self._gateway.lacking(deployments)
            self._deployments.expect(versions)
            return [each for each in flow_runs if each.deployment_id not in lacking]
        return flow_runs

    def _is_due(self, flow_run: FlowRun) -> bool:
        """Whether to take it now; a little too early is looked at again at its time."""
        wait = scheduled(flow_run) - datetime.now(UTC).timestamp()
        if wait > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(wait, lambda: self._start(self.get_and_submit_flow_runs()))
        return wait <= 0

    async def _carry_out(self, flow_run: FlowRun) -> None:
        """Claim the flow run by its Pending state, begin it, wait, report.

        Its process is made ready while Prefect answers, and not told which run it is until then.
        """
        ABOUT.set(
            {
                "flow_run_id": flow_run.id,
                "playbook_run_id": flow_run.parameters.get("playbook_run_id"),
                "request_id": (flow_run.labels or {}).get(REQUEST_LABEL),
            }
        )
        preparing = asyncio.create_task(self._prepare(flow_run))
        try:
            if not await states.claim(self.client, flow_run):
                logger.info("Flow run %s was taken or cancelled meanwhile", flow_run.id)
                return
            try:
                prepared = await preparing
                process = await self._begin(flow_run, prepared)
            except (CannotRun, TemplateFailed) as error:
                logger.warning("Flow run %s did not begin: %s", flow_run.id, error)
                await self._failed_tries.add(self.client, flow_run, error)
                return
            except Exception as error:
                logger.exception("Flow run %s did not begin", flow_run.id)
                await self._failed_tries.add(self.client, flow_run, error)
                return
            self._failed_tries.forget(flow_run.id)
            grace_seconds = prepared.configuration.grace_seconds
            self._grace_seconds[flow_run.id] = grace_seconds
            self._processes[flow_run.id] = process
            self._guardian.guard(flow_run.id, process.process_id, grace_seconds)
            logger.info("Flow run %s begins in process %s", flow_run.id, process.process_id)
            code = await process.wait()
            logger.info("Process %s of flow run %s: code %s", process.process_id, flow_run.id, code)
            # Before anything else: a reused process may be another run's from now on.
            self._guardian.release(flow_run.id)
            # A suspended run has not ended: the reconciler makes it free to be claimed anew.
            if code != SUSPENDED or not await states.is_suspended(self.client, flow_run.id):
                await self._gateway.exited(
                    flow_run.id, process.process_id, code, completed=code == COMPLETED
                )
        finally:
            if flow_run.id not in self._processes:
                self._start(dismiss(preparing))
            self._processes.pop(flow_run.id, None)
            self._grace_seconds.pop(flow_run.id, None)
            self._guardian.release(flow_run.id)
            self._turns.taken.discard(flow_run.id)
            self._end_orphans()
            self._fill_slots()

    async def _prepare(
        self, flow_run: FlowRun, configuration: PhantomJobConfiguration | None = None
    ) -> Preparation:
        """Everything that a run begins with but the claim. Raises `CannotRun`, `TemplateFailed`."""
        known = await self._deployments.read(flow_run.deployment_id)
        configuration = configuration or await self._deployments.configuration(flow_run)
        code = await asyncio.to_thread(Code.of, known.entrypoint, known.folder)
        # A reused process stands by as it is.
        waiting = None
        if configuration.isolation != "reused":
            process, channel, code = await self._templates.fork(code, configuration.isolation)
            waiting = WaitingProcess(process, channel)
        return Preparation(code, known.related, configuration, waiting)

    async def _begin(self, flow_run: FlowRun, prepared: Preparation) -> RunProcess | ReusedRun:
        configuration = prepared.configuration
        request = {
            "flow_run": flow_run.model_dump(mode="json"),
            "ticket": make_ticket(self._ticket_key, flow_run.id),
            "related": prepared.related,
            "environment": {**configuration.environment, FLOW_RUN: str(flow_run.id)},
        }
        if prepared.waiting is not None:
            return await prepared.waiting.begin(request)
        slots = self._slots()
        return await self._reused.begin(prepared.code, request, configuration, slots=slots)

    async def _listen(self) -> None:
        """Hear hints for as long as the worker lives; without them the poll finds the same."""
        outage = Outage("The gateway", logger)
        while True:
            pause = RECONNECT_SECONDS
            try:
                async for hint in self._gateway.hints(self._offered_pool()):
                    outage.ended()
                    if "offer" in hint:
                        self._turns.offered(hint["offer"])
                        self._fill_slots()
                    elif "work" in hint:
                        if "drop" in hint:
                            self._turns.drop()
                        self._hear_of_work()
                    else:
                        self._stop(UUID(hint["stop"]))
            except httpx.HTTPError as error:
                outage.began(error)
            except GatewayRefused as error:
                outage.began(error)
                pause = REFUSED_SECONDS
            except Exception:
                logger.exception("A hint of the gateway was not understood")
            # Nobody can say any more that what it has offered may not begin.
            self._turns.drop()
            await asyncio.sleep(pause)

    def _offered_pool(self) -> str | None:
        """The work pool any run of which may be offered; None with work queues of its own."""
        return None if self._work_queues else self._work_pool_name

    async def _stop_refused(self) -> None:
        """Say how this worker stands, and stop what may not go on, should its hint be lost."""
        with suppress(httpx.HTTPError, GatewayRefused):  # the stream of hints says so
            refused = await self._gateway.held(
                self._processes,
                **self._identity,
                work_pool=self.work_pool.name,
                slots=self._slots(),
                taken=len(self._turns.taken),
            )
            for flow_run_id in refused:
                self._stop(flow_run_id)

    def _stop(self, flow_run_id: UUID) -> None:
        if (process := self._processes.get(flow_run_id)) is not None:
            self._start(process.stop(self._grace_seconds[flow_run_id]))

    def _hear_of_work(self) -> None:
        if self._free() > 0:
            self._start(self.get_and_submit_flow_runs())
        else:
            self._turns.ask_last()

    async def _take(self, offer: Offer) -> None:
        """Carry out an offered flow run, without asking Prefect for it."""
        flow_run_id = UUID(offer["id"])
        try:
            known = await self._deployments.read(
                UUID(offer["deployment_id"]), version=offer.get("version")
            )
        except BaseException:
            self._turns.taken.discard(flow_run_id)
            raise
        await self._carry_out(
            FlowRun(
                id=flow_run_id,
                name=offer["name"],
                flow_id=known.flow_id,
                deployment_id=UUID(offer["deployment_id"]),
                parameters=offer["parameters"],
                tags=[*known.tags, *offer["tags"]],
                labels=offer.get("labels", {}),
                work_queue_id=known.work_queue_id,
                work_pool_name=self.work_pool.name,
            )
        )

    def _end_orphans(self) -> None:
        runs = {process.process_id for process in self._processes.values()}
        others = {self._templates.process_id, self._guardian.process_id}
        if end_orphans({*runs, *self._reused.process_ids, *others}, self._turns.taken):
            asyncio.get_running_loop().call_later(ORPHANS_SECONDS, self._end_orphans)

    def _fill_slots(self) -> None:
        if self._asking:
            return  # its end fills what it leaves free
        while self._free() > 0:
            if self._turns.asks:
                self._asking = True
                self._start(self._ask())
                return
            if (offer := self._turns.next_offer()) is None:
                return
            self._start(self._take(offer))

    def _free(self) -> int:
        return self._slots() - len(self._turns.taken)

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A task of the worker failed", exc_info=error)

    def _slots(self) -> int:
        template = self.work_pool.base_job_template if self._work_pool else {}
        properties = template.get("variables", {}).get("properties", {})
        if self._limit is not None:
            return self._limit
        return int(properties.get("slots", {}).get("default", SLOTS))
