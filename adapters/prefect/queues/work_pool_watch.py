"""The loop that notes what stands between runs and their start: Prefect, its rules, workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkerFilter,
    WorkerFilterStatus,
    WorkPoolFilter,
    WorkPoolFilterId,
    WorkQueueFilter,
    WorkQueueFilterId,
)
from prefect.client.schemas.objects import StateType, WorkPool, WorkQueue
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.prefect.outage import PrefectAway
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.queues.queue_rules import QueueInPool, Rules, judge_pool
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.starts import dispatch_status, work_queues
from prefect_phantom.adapters.store.starts.work_queues import WorkQueue as JudgedQueue

ANSWER_SECONDS = 10.0
"""A Prefect server that takes longer counts as not answering."""
LOOK_SECONDS = 1.0
"""How often the rules are read while runs wait; events say sooner that one has changed."""
DEPLOYMENTS_SECONDS = 60.0
"""How often it is read which work queue a playbook's deployment is in, when no event says so."""
PAGE = 200
"""Prefect reads at most 200 things at a time."""
ONLINE = WorkerFilter(status=WorkerFilterStatus(any_=["ONLINE"]))
AT_WORK = FlowRunFilter(
    state=FlowRunFilterState(
        type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
    )
)
"""The flow runs that Prefect counts for a limit."""
Thing = TypeVar("Thing")


class WorkPoolWatch:
    """Asks Prefect for work pools, their queues and their workers, whatever their type."""

    def __init__(
        self,
        *,
        database: Database,
        client: PrefectClient,
        settings: Settings,
        hints: Hints,
        dispatch: Signal,
    ) -> None:
        self.database = database
        self.client = client
        self.settings = settings
        self.hints = hints
        self.dispatch = dispatch
        self.listening = False
        """Whether Prefect's events are heard, which say that a rule has changed."""
        self._signal = Signal()
        self._looking = asyncio.Lock()
        self._looked: float | None = None
        self._known: dict[UUID, JudgedQueue] = {}
        self._deployments: set[UUID] = set()
        self._deployments_due = self._workers_due = 0.0

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report."""
        # The client's own repeats would go on for a minute before anybody is told.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            while True:
                await self.look(workers=_now() >= self._workers_due)
                waiting = await work_queues.runs_wait(self.database)
                await self._signal.wait(
                    min(LOOK_SECONDS, self.settings.reconcile_seconds)
                    if waiting
                    else self.settings.reconcile_seconds
                )

    def hurry(self) -> None:
        """Look at once: something has changed in Prefect."""
        self._signal.notify()

    def deployment_changed(self, deployment_id: UUID) -> None:
        """Look at once, and also at which work queue the deployment is in."""
        self._deployments.discard(deployment_id)
        self.hurry()

    def is_limited(self, queue_id: UUID) -> bool:
        """Whether the start of a run of this work queue may wait for the end of another."""
        known = self._known.get(queue_id)
        return known is not None and known.room is not None

    async def prepare(self) -> None:
        """Have what is known be fresh enough for runs to be taken from our queue."""
        stale = self._looked is None or (
            not self.listening and _now() - self._looked > LOOK_SECONDS
        )
        limited = any(queue.room is not None for queue in self._known.values())
        if stale or (limited and await work_queues.limit_counts(self.database)):
            await self.look(workers=False)

    async def look(self, *, workers: bool = True) -> None:
        """Ask once. What Prefect does not answer is noted, and raised."""
        async with self._looking:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._look(workers=workers)
            except TimeoutError as error:
                await self._note_unreachable()
                raise PrefectAway(f"no answer within {ANSWER_SECONDS:g} s") from error
            except httpx.HTTPError:
                await self._note_unreachable()
                raise
            self._looked = _now()

    async def _look(self, *, workers: bool) -> None:
        in_use = {queue_id for queue_id in (await self._read_deployments()).values() if queue_id}
        pools = await _pages(lambda offset: self.client.read_work_pools(limit=PAGE, offset=offset))
        queues = await _pages(
            lambda offset: self.client.read_work_queues(limit=PAGE, offset=offset)
        )
        judged = await self._judge(pools, queues, in_use)
        if workers:
            named = {self.settings.work_pool, *_pools(q for q in judged if q.id in in_use)}
            await self._note_workers([pool for pool in pools if pool.name in named])
            self._workers_due = _now() + self.settings.reconcile_seconds
        await self._note(judged)

    async def _read_deployments(self) -> dict[UUID, UUID | None]:
        """The work queue of each playbook's deployment."""
        stored = await work_queues.read_deployments(self.database)
        due = _now() >= self._deployments_due
        unknown = stored.keys() - (set() if due else self._deployments)
        if not unknown:
            return stored
        wanted = DeploymentFilter(id=DeploymentFilterId(any_=list(unknown)))
        self._deployments |= unknown  # an event that comes meanwhile takes one out again
        try:
            read = await _pages(
                lambda offset: self.client.read_deployments(
                    deployment_filter=wanted, limit=PAGE, offset=offset
                )
            )
        except BaseException:
            self._deployments -= unknown
            raise
        found = {deployment.id: deployment.work_queue_id for deployment in read}
        await work_queues.note_deployments(self.database, found)
        if due:
            self._deployments_due = _now() + DEPLOYMENTS_SECONDS
        return {**stored, **found}

    async def _judge(
        self, pools: Iterable[WorkPool], queues: Iterable[WorkQueue], in_use: set[UUID]
    ) -> list[JudgedQueue]:
        of_pool: dict[UUID | None, list[WorkQueue]] = {}
        for queue in queues:
            of_pool.setdefault(queue.work_pool_id, []).append(queue)
        judged: list[JudgedQueue] = []
        for pool in pools:
            of_this = of_pool.get(pool.id, [])
            used = not in_use.isdisjoint(queue.id for queue in of_this)
            wanted = WorkPoolFilter(id=WorkPoolFilterId(any_=[pool.id]))
            rules = await self._rules(pool, used=used, work_pool_filter=wanted)
            in_pool = [await self._in_pool(queue, used=queue.id in in_use) for queue in of_this]
            judged += judge_pool(pool.name, rules, in_pool)
        return judged

    async def _in_pool(self, queue: WorkQueue, *, used: bool) -> QueueInPool:
        wanted = WorkQueueFilter(id=WorkQueueFilterId(any_=[queue.id]))
        rules = await self._rules(queue, used=used, work_queue_filter=wanted)
        return QueueInPool(queue.id, queue.name, rules)

    async def _rules(
        self,
        thing: WorkPool | WorkQueue,
        *,
        used: bool,
        work_pool_filter: WorkPoolFilter | None = None,
        work_queue_filter: WorkQueueFilter | None = None,
    ) -> Rules:
        """Its rules; who is at work is only counted where runs of ours depend on that."""
        busy = 0
        if thing.concurrency_limit and used:
            busy = await self.client.count_flow_runs(
                flow_run_filter=AT_WORK,
                work_pool_filter=work_pool_filter,
                work_queue_filter=work_queue_filter,
            )
        return Rules(paused=thing.is_paused, limit=thing.concurrency_limit, busy=busy)

    async def _note_workers(self, pools: Iterable[WorkPool]) -> None:
        for pool in pools:
            try:
                workers = await self.client.read_workers_for_work_pool(pool.name, ONLINE)
            except ObjectNotFound:
                continue  # deleted after it was read
            await dispatch_status.note_reached(
                self.database,
                pool.name,
                workers=len(workers),
                slots=pool.concurrency_limit,
            )

    async def _note_unreachable(self) -> None:
        for name in {self.settings.work_pool, *_pools(self._known.values())}:
            await dispatch_status.note_unreachable(self.database, name)
        self._workers_due = 0.0  # which notes that it answers again

    async def _note(self, judged: Collection[JudgedQueue]) -> None:
        """Keep it where every gateway reads it, and tell whoever acts on what has changed."""
        new = {queue.id: queue for queue in judged}
        await work_queues.note(self.database, judged)
        changed = [queue for queue in judged if self._known.get(queue.id) != queue]
        before, self._known = self._known, new
        if any(_stops(before.get(queue.id), queue) for queue in changed):
            self.hints.drop()
        if changed:
            self.dispatch.notify()
            self.hints.work()


def _stops(before: JudgedQueue | None, now: JudgedQueue) -> bool:
    """Whether what was offered of a work queue may no longer begin without asking Prefect."""
    return now.asks and (before is None or not before.asks or now.paused > before.paused)


def _pools(queues: Iterable[JudgedQueue]) -> set[str]:
    return {queue.work_pool for queue in queues}


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _pages(read: Callable[[int], Awaitable[list[Thing]]]) -> list[Thing]:
    found: list[Thing] = []
    while page := await read(len(found)):
        found += page
        if len(page) < PAGE:
            break
    return found
