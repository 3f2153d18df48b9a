"""Prefect's own rules hold for runs over REST: pauses, limits, queues, and a worker's options."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import pairwise
from typing import Any

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterTags,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from tests.system import RUN_SECONDS, System, flow_run_of

POOL = "phantom"
PAUSED = f'Work pool "{POOL}" is paused'
PAUSED_QUEUE = f'Work queue "default" of work pool "{POOL}" is paused'
LIMIT = f'Work pool "{POOL}" has reached its concurrency limit of'
QUEUE_LIMIT = f'Work queue "default" of work pool "{POOL}" has reached its concurrency limit of'


NO_TIME = {"inputs": {"seconds": 0}}


@pytest.fixture
async def queue(prefect: PrefectClient) -> AsyncIterator[WorkQueue]:
    """The one work queue of our pool, which is as it was after the test."""
    (queue,) = await prefect.read_work_queues(work_pool_name=POOL)
    yield queue
    await prefect.update_work_pool(POOL, WorkPoolUpdate(is_paused=False, concurrency_limit=None))
    await prefect.update_work_queue(queue.id, is_paused=False, concurrency_limit=None)
    await prefect.request("PATCH", f"/work_queues/{queue.id}", json={"concurrency_limit": None})


async def rule(prefect: PrefectClient, queue: WorkQueue, of: str, **said: Any) -> None:
    """Have Prefect hold a rule of the pool or of its queue."""
    if of == "pool":
        await prefect.update_work_pool(POOL, WorkPoolUpdate(**said))
    else:
        await prefect.request("PATCH", f"/work_queues/{queue.id}", json=said)


def waiting(
    system: System, playbook: str, reason: str, *, here: bool = False, **further: Any
) -> int:
    """A run that waits for this reason, in our own table if `here`.

    Others are started before, as long as the gateway has not heard of the reason.
    """
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        run_id = system.start(playbook, **further)
        run = system.run_when(
            run_id, lambda run: run["status"] != "running" or run["misc"]["waiting"] == reason
        )
        if run["status"] == "running" and not (here and run["misc"]["flow_run_id"]):
            return run_id
    raise AssertionError(reason)


def held(system: System, playbook: str, reason: str, **further: Any) -> int:
    """A run that waits for this reason in our own table."""
    return waiting(system, playbook, reason, here=True, **further)


async def flow_runs(prefect: PrefectClient, run_id: int) -> list[FlowRun]:
    """Every flow run that was ever made of a run.

    Tests with a database of their own have runs with the same ids, in another work pool.
    """
    tags = FlowRunFilterTags(all_=[f"playbook_run:{run_id}"])
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
    return await prefect.read_flow_runs(
        flow_run_filter=FlowRunFilter(tags=tags), work_pool_filter=pool
    )


@pytest.mark.parametrize(
    ("of", "said", "reason", "lifted"),
    [
        ("pool", {"is_paused": True}, PAUSED, {"is_paused": False}),
        ("queue", {"is_paused": True}, PAUSED_QUEUE, {"is_paused": False}),
        ("pool", {"concurrency_limit": 0}, f"{LIMIT} 0", {"concurrency_limit": None}),
        ("queue", {"concurrency_limit": 0}, f"{QUEUE_LIMIT} 0", {"concurrency_limit": None}),
    ],
    ids=["paused pool", "paused queue", "pool limit 0", "queue limit 0"],
)
async def test_what_may_not_start_waits_here_and_starts_when_it_may(
    system: System, prefect: PrefectClient, queue: WorkQueue, of: str, said: Any, reason: str,
    lifted: Any,
) -> None:  # fmt: skip
    await rule(prefect, queue, of, **said)
    run_id = held(system, "quick", reason)
    cancelled = held(system, "quick", reason)
    system.post(f"/rest/playbook_run/{cancelled}", {"cancel": True})
    run = system.get(f"/rest/playbook_run/{cancelled}")
    assert (run["status"], run["cancelled"]) == ("failed", "Cancelled by admin")
    await rule(prefect, queue, of, **lifted)
    assert system.ended(run_id)["status"] == "success"
    assert len(await flow_runs(prefect, run_id)) == 1
    assert await flow_runs(prefect, cancelled) == []


@pytest.mark.parametrize(("of", "reason"), [("pool", LIMIT), ("queue", QUEUE_LIMIT)])
async def test_a_limit_of_one_has_one_run_at_a_time(
    system: System, prefect: PrefectClient, queue: WorkQueue, of: str, reason: str
) -> None:
    await rule(prefect, queue, of, concurrency_limit=1)
    first = held_busy(system)
    run_ids = [held(system, "quick", f"{reason} 1") for _ in range(3)]
    system.post(f"/rest/playbook_run/{first}", {"cancel": True})
    times = []
    for run_id in run_ids:
        run = system.ended(run_id)
        assert run["status"] == "success"
        flow_run = await flow_run_of(prefect, run)
        times.append((flow_run.start_time, flow_run.end_time))
        assert len(await flow_runs(prefect, run_id)) == 1
    times.sort()
    for (_, end), (start, _) in pairwise(times):
        assert end is not None
        assert start is not None
        assert end <= start


def held_busy(system: System) -> int:
    """A run that is at work for long."""
    run_id = system.start("wait", inputs={"seconds": 300})
    system.executing(run_id)
    return run_id


@pytest.mark.attack(
    "runs are started over REST for a paused work queue",
    "none starts before the queue goes on, whatever starts from others; then each of them, once",
)
async def test_what_waited_for_a_pause_starts_once_when_it_ends(
    system: System, prefect: PrefectClient, queue: WorkQueue
) -> None:
    async with moved(prefect, "looks", "other"):
        await rule(prefect, queue, "queue", is_paused=True)
        held(system, "quick", PAUSED_QUEUE)
        run_ids = [system.start("quick") for _ in range(8)]
        # Accepted after all of them, and begun before any.
        assert system.ended(system.start("looks"))["status"] == "success"
        assert [len(await flow_runs(prefect, run_id)) for run_id in run_ids] == [0] * len(run_ids)
        await rule(prefect, queue, "queue", is_paused=False)
        assert {system.ended(run_id)["status"] for run_id in run_ids} == {"success"}
        assert [len(await flow_runs(prefect, run_id)) for run_id in run_ids] == [1] * len(run_ids)


async def deployment_of(prefect: PrefectClient, playbook: str) -> DeploymentResponse:
    """A playbook's deployment, as soon as the gateway has made it."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        with suppress(ObjectNotFound):
            return await prefect.read_deployment_by_name(f"{playbook}/local")
        await anyio.sleep(0.1)
    raise AssertionError(playbook)


@asynccontextmanager
async def moved(
    prefect: PrefectClient, playbook: str, name: str, **queue: Any
) -> AsyncIterator[None]:
    """Have the runs of a playbook come from a work queue of their own."""
    other = await prefect.create_work_queue(name, work_pool_name=POOL, **queue)
    deployment = await deployment_of(prefect, playbook)
    try:
        there = DeploymentUpdate(work_pool_name=POOL, work_queue_name=name)
        await prefect.update_deployment(deployment.id, there)
        yield
    finally:
        back = DeploymentUpdate(work_pool_name=POOL, work_queue_name="default")
        await prefect.update_deployment(deployment.id, back)
        await prefect.request("DELETE", f"/work_queues/{other.id}")


async def test_the_queue_of_higher_priority_is_served_first(
    system: System, prefect: PrefectClient, queue: WorkQueue
) -> None:
    async with moved(prefect, "quick", "urgent", priority=1):
        await rule(prefect, queue, "pool", concurrency_limit=1)
        first = held_busy(system)
        reason = f"{LIMIT} 1"
        later = [held(system, "looks", reason) for _ in range(2)]
        sooner = held(system, "quick", reason)
        system.post(f"/rest/playbook_run/{first}", {"cancel": True})
        assert {system.ended(run_id)["status"] for run_id in [sooner, *later]} == {"success"}
        (won,) = await flow_runs(prefect, sooner)
        for run_id in later:
            (lost,) = await flow_runs(prefect, run_id)
            assert lost.start_time is not None
            assert won.start_time is not None
            assert won.start_time < lost.start_time


@contextmanager
def working(system: System, *options: str) -> Iterator[None]:
    """``prefect worker start --type phantom`` with options of its own."""
    command = ["-m", "prefect", "worker", "start", "--type", "phantom", *options]
    environment = {**system.worker_environment(), "PREFECT_PHANTOM_WORKER_NAME": "particular"}
    worker = subprocess.Popen(
        [sys.executable, *command], env=environment, start_new_session=True, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert any(b"started!" in line for line in worker.stdout)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        worker.stdout.close()


@pytest.mark.long  # it starts a worker
async def test_a_pool_of_its_own_and_the_options_of_its_worker_hold_too(
    system: System, prefect: PrefectClient
) -> None:
    await prefect.create_work_pool(WorkPoolCreate(name="other", type="phantom"))
    await prefect.create_work_queue("slow", work_pool_name="other")
    deployments = {
        name: await prefect.read_deployment_by_name(f"{name}/examples")
        for name in ("wait", "my_playbook")
    }
    for deployment, name in zip(deployments.values(), ("slow", "default"), strict=True):
        moved = DeploymentUpdate(work_pool_name="other", work_queue_name=name)
        await prefect.update_deployment(deployment.id, moved)
    unserved = 0
    try:
        nobody = 'No worker of work pool "other" is online'
        unserved = waiting(system, "my_playbook", nobody)
        with working(system, "--pool", "other", "--work-queue", "slow", "--limit", "1"):
            first = held_busy(system)
            second = system.start("wait", **NO_TIME)
            await prefect.update_work_pool("other", WorkPoolUpdate(is_paused=True))
            third = held(system, "wait", 'Work pool "other" is paused', **NO_TIME)
            assert system.get(f"/rest/playbook_run/{second}")["misc"]["process_id"] is None
            await prefect.update_work_pool("other", WorkPoolUpdate(is_paused=False))
            system.post(f"/rest/playbook_run/{first}", {"cancel": True})
            system.ended(second)
            system.post(f"/rest/playbook_run/{third}", {"cancel": True})
            system.ended(third)
            # Its queue has no worker, although the pool has one.
            run = system.get(f"/rest/playbook_run/{unserved}")
            assert run["misc"]["process_id"] is None
    finally:
        for deployment in deployments.values():
            back = DeploymentUpdate(work_pool_name=POOL, work_queue_name="default")
            await prefect.update_deployment(deployment.id, back)
        system.post(f"/rest/playbook_run/{unserved}", {"cancel": True})
        await prefect.delete_work_pool("other")
