"""What a worker takes of that which Prefect has scheduled: that of which it has the code."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.known_deployments import KnownDeployments
from prefect_phantom.adapters.worker.phantom_worker import PhantomWorker


class Gateway:
    """Answers which deployments the worker lacks, or does not."""

    def __init__(self, lacking: set[UUID], error: Exception | None = None) -> None:
        self.lacks, self.error = lacking, error
        self.asked: list[set[UUID]] = []

    async def lacking(self, deployment_ids: set[UUID]) -> tuple[set[UUID], dict[UUID, str]]:
        self.asked.append(set(deployment_ids))
        if self.error is not None:
            raise self.error
        return self.lacks, dict.fromkeys(deployment_ids, "registered")


def worker(gateway: Gateway) -> PhantomWorker:
    made = cast("PhantomWorker", object.__new__(PhantomWorker))
    made._gateway = cast("GatewayClient", gateway)
    made._deployments = KnownDeployments(cast("PrefectClient", None))
    return made


def flow_run(deployment_id: UUID | None) -> FlowRun:
    return FlowRun(id=uuid4(), flow_id=uuid4(), deployment_id=deployment_id)


async def test_runs_whose_code_it_lacks_are_left_to_others() -> None:
    old, new = uuid4(), uuid4()
    flow_runs = [flow_run(each) for each in (old, new, old, None)]
    gateway = Gateway({old})
    asking = worker(gateway)
    assert await asking._with_code(flow_runs) == [flow_runs[1], flow_runs[3]]
    assert gateway.asked == [{old, new}]
    assert asking._deployments._registered == {old: "registered", new: "registered"}


@pytest.mark.parametrize("error", [httpx.ConnectError("away"), GatewayRefused("no such path")])
async def test_without_an_answer_the_claim_decides(error: Exception) -> None:
    flow_runs: list[Any] = [flow_run(uuid4())]
    assert await worker(Gateway(set(), error))._with_code(flow_runs) == flow_runs


async def test_nothing_is_asked_of_nothing() -> None:
    gateway = Gateway(set())
    assert await worker(gateway)._with_code([]) == []
    assert gateway.asked == []
