"""When a playbook is registered before its runs are created: when Prefect knows another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.playbooks.playbooks import Playbook

HUNT = Playbook(
    id=1, repository="local", name="hunt", description="Hunt", category="", labels=[], tags=[],
    active=False, disabled=False, playbook_type="automation", folder="/p",
    entrypoint="hunt.py:hunt", parameter_schema={"b": 1, "a": 2}, input_schema=None, version=1,
    error="", deployment_id=uuid4(), registered_digest="", isolation="fork",
    registered_isolation="fork", digest="d", earlier_code=False, gone_time=None,
    gone_seconds=None, broken_seconds=None, paused_schedules=None, paused_before=False,
)  # fmt: skip


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> tuple[Deployments, list[Playbook]]:
    """Deployments without a Prefect, and the playbooks that were registered anew."""
    deployments = Deployments(
        database=cast("Any", None), client=cast("Any", None), settings=Settings()
    )
    made: list[Playbook] = []

    async def register(playbook: Playbook) -> UUID:
        made.append(playbook)
        return uuid4()

    monkeypatch.setattr(deployments, "register", register)
    return deployments, made


async def test_what_prefect_knows_is_not_registered_again(
    registered: tuple[Deployments, list[Playbook]],
) -> None:
    deployments, made = registered
    known = replace(HUNT, registered_digest=HUNT.deployment_digest)
    assert await deployments.registered(known) == HUNT.deployment_id
    # Its labels and the digest of its contents are nothing that Prefect has.
    assert await deployments.registered(replace(known, labels=["x"], digest="e"))
    assert made == []


@pytest.mark.parametrize(
    "change",
    [
        {"deployment_id": None},
        {"folder": "/q"},
        {"entrypoint": "other.py:hunt"},
        {"isolation": "reused"},
        {"registered_digest": "paused"},
    ],
)
async def test_what_has_changed_since_is_registered_first(
    registered: tuple[Deployments, list[Playbook]], change: dict[str, Any]
) -> None:
    deployments, made = registered
    known = replace(HUNT, registered_digest=HUNT.deployment_digest)
    assert await deployments.registered(replace(known, **change)) != HUNT.deployment_id
    assert len(made) == 1
