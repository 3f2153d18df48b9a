"""What a worker asks Prefect about deployments, and how often."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient

from prefect_phantom.adapters.between.prefect.work_pool import default_template
from prefect_phantom.adapters.worker import known_deployments
from prefect_phantom.adapters.worker.known_deployments import KnownDeployments


class Prefect:
    """One deployment with all that it belongs to; counts what is read."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.flow_id, self.queue_id = uuid4(), uuid4()
        self.template = default_template()

    async def read_deployment(self, deployment_id: UUID) -> Any:
        self.reads["deployment"] += 1
        return SimpleNamespace(
            id=deployment_id, name="d", tags=["t"], pull_steps=[], entrypoint="a.py:a",
            flow_id=self.flow_id, work_pool_name="p", work_queue_id=self.queue_id, job_variables={},
        )  # fmt: skip

    async def read_flow(self, flow_id: UUID) -> Any:
        self.reads["flow"] += 1
        return SimpleNamespace(id=flow_id, name="f", tags=[])

    async def read_work_pool(self, name: str) -> Any:
        self.reads["pool"] += 1
        return SimpleNamespace(id=uuid4(), name=name, base_job_template=self.template)

    async def read_work_queue(self, queue_id: UUID) -> Any:
        self.reads["queue"] += 1
        return SimpleNamespace(id=queue_id, name="default")


async def test_settings_are_read_again_after_a_while_and_names_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefect, deployment_id = Prefect(), uuid4()
    known = KnownDeployments(cast("PrefectClient", prefect))
    first = await known.read(deployment_id)
    assert await known.read(deployment_id) is first
    monkeypatch.setattr(known_deployments, "SECONDS", -1.0)
    prefect.template["variables"]["properties"]["grace_seconds"]["default"] = 7.5
    second = await known.read(deployment_id)
    assert (first.configuration.grace_seconds, second.configuration.grace_seconds) == (5.0, 7.5)
    assert prefect.reads == {"deployment": 2, "pool": 2, "flow": 1, "queue": 1}
    assert second.related[0] == first.related[0]
    assert [each["kind"] for each in second.related] == [
        *("flow", "deployment", "work-pool", "work-queue")
    ]


async def test_a_version_that_was_registered_since_is_read_at_once_and_once() -> None:
    prefect, deployment_id = Prefect(), uuid4()
    known = KnownDeployments(cast("PrefectClient", prefect))
    for version in (None, "one", "one", None, "two", "two", None):
        await known.read(deployment_id, version=version)
    assert prefect.reads["deployment"] == 3


async def test_a_version_that_the_gateway_tells_is_read_at_once_and_once() -> None:
    prefect, deployment_id = Prefect(), uuid4()
    known = KnownDeployments(cast("PrefectClient", prefect))
    for version in ("one", "one", "two", "two"):
        known.expect({deployment_id: version, uuid4(): "another's"})
        await known.read(deployment_id)
    await known.read(deployment_id, version="two")
    assert prefect.reads["deployment"] == 2


async def test_names_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_deployments, "SECONDS", -1.0)
    monkeypatch.setattr(known_deployments, "NAME_SECONDS", -1.0)
    prefect, deployment_id = Prefect(), uuid4()
    known = KnownDeployments(cast("PrefectClient", prefect))
    for _ in range(2):
        await known.read(deployment_id)
    assert prefect.reads == dict.fromkeys(("deployment", "flow", "pool", "queue"), 2)
