"""Playbooks whose file is gone, against a real Prefect: paused, refused, and as they were again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Completed, Crashed, Scheduled
from sqlalchemy import func, select, text, update

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.prefect.deployments.gone_playbooks import NOT_BEGUN, GonePlaybooks
from prefect_phantom.adapters.prefect.deployments.repositories import Repositories
from prefect_phantom.adapters.prefect.runs.reconcile import Reconciler
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.case import new_containers
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.playbooks import playbook_reports, playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook
from prefect_phantom.adapters.store.playbooks.playbook_reports import Report
from prefect_phantom.adapters.store.starts import refused_starts, run_requests
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.tables.case_fields import ContainerFields
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from prefect_phantom.adapters.store.tables.tables import playbooks as table


class Loop:
    """The loop that registers, as a gateway has it, one round at a time."""

    def __init__(self, database: Database, client: PrefectClient) -> None:
        self.database, self.client = database, client
        # Nobody works in this pool, so that nothing begins.
        self.settings = Settings(work_pool="nobody-works-here")
        self.repository = uuid4().hex
        self.contents = 0
        self.description = "Look"
        self.signal = Signal()
        self.repositories = Repositories(
            database=database,
            settings=self.settings,
            deployments=Deployments(database=database, client=client, settings=self.settings),
            reported=self.signal,
            dispatch=self.signal,
        )

    async def found(self, *names: str) -> None:
        """A worker has these, and the gateway has looked at that; a gone one is so for a while."""
        self.contents += 1
        rows = [
            FoundPlaybook(
                self.repository,
                name,
                "/p",
                f"{name}.py:{name}",
                description=self.description,
                digest="d",
            )
            for name in names
        ]
        report = Report(worker="one", digest=f"d{self.contents}", playbooks=rows)
        await playbook_reports.keep(self.database, report, self.settings.known_repositories)
        async with self.database.begin() as connection:
            before = timedelta(minutes=1)
            await connection.execute(
                update(table).values(
                    gone_time=table.c.gone_time - before, update_time=table.c.update_time - before
                )
            )
        await self.look()

    async def look(self) -> None:
        """One round."""
        await self.repositories.refresh()
        gone = GonePlaybooks(database=self.database, client=self.client, reconcile=self.signal)
        await gone.settle()
        await Reconciler(
            database=self.database,
            client=self.client,
            settings=self.settings,
            signal=self.signal,
            hints=Hints(lambda _: None),
        ).sweep()

    async def row(self, name: str = "hunt") -> playbooks.Playbook:
        """The playbook of this name."""
        rows = await playbooks.read_all(self.database)
        (found,) = [r for r in rows if (r.repository, r.name) == (self.repository, name)]
        return found

    async def deployment(self, name: str = "hunt") -> DeploymentResponse:
        """Its deployment."""
        deployment_id = (await self.row(name)).deployment_id
        assert deployment_id is not None
        return await self.client.read_deployment(deployment_id)


@pytest.fixture
async def loop(database: Database, prefect: PrefectClient) -> AsyncIterator[Loop]:
    async with database.begin() as connection:
        await connection.execute(text("TRUNCATE playbooks, playbook_reports CASCADE"))
    loop = Loop(database, prefect)
    await loop.found("hunt", "other")
    yield loop
    for row in await playbooks.read_all(database):
        if row.deployment_id is not None:
            await prefect.delete_deployment(row.deployment_id)


@pytest.fixture
async def scheduled(loop: Loop, prefect: PrefectClient) -> dict[str, UUID]:
    """Two schedules of the playbook, of which somebody has made one inactive."""
    deployment = await loop.deployment()
    every = CronSchedule(cron="0 0 1 1 *")
    made = await prefect.create_deployment_schedules(
        deployment.id, [(every, True), (CronSchedule(cron="0 0 2 2 *"), False)]
    )
    return {"active": made[0].id, "inactive": made[1].id}


async def active(loop: Loop) -> dict[UUID, bool]:
    return {each.id: each.active for each in (await loop.deployment()).schedules}


@pytest.fixture
async def container(database: Database) -> int:
    new = ContainerFields(name="c", label="events")
    container_id, _ = await new_containers.create(database, new)
    return container_id


async def test_a_playbook_that_prefect_refuses_keeps_no_other_from_being_registered(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = (await loop.row("hunt")).deployment_id
    update_deployment = loop.client.update_deployment

    async def update_one(deployment_id: UUID, deployment: Any) -> None:
        if deployment_id == refused:
            request = httpx.Request("PATCH", "http://prefect/api")
            httpx.Response(422, request=request).raise_for_status()
        await update_deployment(deployment_id, deployment)

    monkeypatch.setattr(loop.client, "update_deployment", update_one)
    loop.description = "Look twice"
    await loop.found("hunt", "other")
    await loop.look()
    assert (await loop.deployment("other")).description == "Look twice"
    assert caplog.text.count("hunt is not registered in Prefect") == 1
    monkeypatch.undo()
    await loop.look()  # nothing was reported meanwhile
    assert (await loop.deployment("hunt")).description == "Look twice"


async def test_what_another_gateway_has_told_of_an_older_one_is_told_anew(loop: Loop) -> None:
    other = await loop.row("other")
    deployment = await loop.deployment("other")
    await loop.client.update_deployment(deployment.id, DeploymentUpdate(entrypoint="old.py:other"))
    await playbooks.record_deployment(
        loop.database, other.id, deployment.id, digest="another formula", isolation=other.isolation
    )
    await loop.look()
    row = await loop.row("other")
    assert row.registered_digest == row.deployment_digest
    assert (await loop.deployment("other")).entrypoint == "other.py:other"


async def test_a_playbook_that_is_gone_is_paused_with_its_schedules_and_says_so(
    loop: Loop, scheduled: dict[str, UUID]
) -> None:
    await loop.found("other")
    deployment = await loop.deployment()
    assert deployment.paused is True
    assert await active(loop) == dict.fromkeys(scheduled.values(), False)
    assert (deployment.description or "").startswith(
        f"The playbook is no longer in the repository {loop.repository}. The deployment is paused"
    )
    assert (await loop.deployment("other")).paused is False


async def test_it_is_as_it_was_when_its_file_is_back(
    loop: Loop, scheduled: dict[str, UUID]
) -> None:
    before = await loop.row()
    await loop.found("other")
    await loop.look()
    await loop.found("hunt", "other")
    deployment, row = await loop.deployment(), await loop.row()
    assert (deployment.id, row.id) == (before.deployment_id, before.id)
    assert (deployment.paused, deployment.description) == (False, "Look")
    assert await active(loop) == {scheduled["active"]: True, scheduled["inactive"]: False}
    assert (row.paused_schedules, row.error) == (None, "")


async def test_what_somebody_had_paused_stays_paused(
    loop: Loop, prefect: PrefectClient, scheduled: dict[str, UUID]
) -> None:
    await prefect.pause_deployment((await loop.deployment()).id)
    await loop.found("other")
    await loop.found("hunt", "other")
    assert (await loop.deployment()).paused is True
    assert await active(loop) == {scheduled["active"]: True, scheduled["inactive"]: False}


async def test_a_pause_that_broke_in_the_middle_forgets_no_schedule(
    loop: Loop, prefect: PrefectClient, scheduled: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object, **__: object) -> None:
        raise httpx.ConnectError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(prefect, "update_deployment", breaks)
        with pytest.raises(httpx.ConnectError):
            await loop.found("other")
    assert not any((await active(loop)).values())
    await loop.look()
    await loop.found("hunt", "other")
    assert await active(loop) == {scheduled["active"]: True, scheduled["inactive"]: False}


async def test_a_file_that_is_gone_for_a_moment_pauses_nothing(loop: Loop) -> None:
    report = Report(worker="one", digest="none", playbooks=[])
    await playbook_reports.keep(loop.database, report, loop.settings.known_repositories)
    await loop.look()
    assert (await loop.row()).may_come_back
    assert (await loop.deployment()).paused is False


async def refused(loop: Loop, prefect: PrefectClient, flow_run_id: UUID) -> Any:
    """The row of a flow run, after two rounds, and its state in Prefect."""
    await loop.look()
    await loop.look()
    async with loop.database.read() as connection:
        query = select(runs).where(runs.c.flow_run_id == flow_run_id)
        row = (await connection.execute(query)).one_or_none()
    return row, (await prefect.read_flow_run(flow_run_id)).state


async def test_a_start_in_prefect_of_one_that_is_gone_has_a_row_that_says_why(
    loop: Loop, prefect: PrefectClient, container: int
) -> None:
    await loop.found("other")
    flow_run = await prefect.create_flow_run_from_deployment(
        (await loop.deployment()).id, parameters={"container_id": container}
    )
    row, state = await refused(loop, prefect, flow_run.id)
    reason = f"The playbook is no longer in the repository {loop.repository}"
    assert (row.status, row.message, row.container_id) == ("failed", reason, container)
    assert (state.type.value, state.message) == ("FAILED", reason)
    assert f"playbook_run:{row.id}" in (await prefect.read_flow_run(flow_run.id)).tags


async def test_one_that_a_worker_had_let_crash_has_its_row_as_well(
    loop: Loop, prefect: PrefectClient, container: int
) -> None:
    await loop.found("other")
    flow_run = await prefect.create_flow_run_from_deployment(
        (await loop.deployment()).id, parameters={"container_id": container}
    )
    await prefect.set_flow_run_state(flow_run.id, Crashed(message="no file"), force=True)
    row, state = await refused(loop, prefect, flow_run.id)
    assert (row.status, row.settled, state.type.value) == ("failed", True, "CRASHED")


async def test_a_start_that_can_have_no_row_does_not_stand_in_prefect_for_ever(
    loop: Loop, prefect: PrefectClient
) -> None:
    await loop.found("other")
    flow_run = await prefect.create_flow_run_from_deployment(
        (await loop.deployment()).id, parameters={"container_id": 2**40}
    )
    row, state = await refused(loop, prefect, flow_run.id)
    assert (row, state.type.value) == (None, "FAILED")


@pytest.mark.attack(
    "starts in Prefect of a playbook that is gone, with parameters that fit no row",
    "each is refused, and so are those after it",
)
@pytest.mark.parametrize(
    "odd",
    [
        {"container_id": -(10**30)},
        {"container_id": 10**30},
        {"container_id": True},
        {"scope": [1, 2]},
    ],
    ids=str,
)
async def test_a_start_with_odd_parameters_keeps_no_other_from_being_refused(
    loop: Loop, container: int, odd: dict[str, Any]
) -> None:
    await loop.found("other")
    (playbook,) = await refused_starts.read_playbooks(loop.database)
    begun = [
        FlowRun(
            id=uuid4(),
            flow_id=uuid4(),
            deployment_id=playbook.deployment_id,
            parameters={"container_id": container, **parameters},
            state=Completed(),
        )
        for parameters in (odd, {})
    ]

    async def read_flow_runs(**_: object) -> list[FlowRun]:
        return begun

    async def update_flow_run(*_: object, **__: object) -> None:
        pass

    client: Any = SimpleNamespace(read_flow_runs=read_flow_runs, update_flow_run=update_flow_run)
    gone = GonePlaybooks(database=loop.database, client=client, reconcile=Signal())
    await gone.refuse_starts()
    assert begun[1].id in await refused_starts.known(loop.database, [each.id for each in begun])


async def test_one_that_cannot_be_refused_keeps_no_other_from_it(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await loop.found("other")
    refused_ids: list[UUID] = []

    async def refuse(flow_run: FlowRun, _: object) -> None:
        refused_ids.append(flow_run.id)
        raise ValueError

    (playbook,) = await refused_starts.read_playbooks(loop.database)
    begun = [
        FlowRun(id=uuid4(), flow_id=uuid4(), deployment_id=playbook.deployment_id) for _ in range(2)
    ]

    async def read(_ids: object, states: object, *_: object) -> list[FlowRun]:
        return begun if states == NOT_BEGUN else []

    gone = GonePlaybooks(database=loop.database, client=loop.client, reconcile=Signal())
    monkeypatch.setattr(gone, "_refuse", refuse)
    monkeypatch.setattr(gone, "_begun_in_prefect", read)
    await gone.refuse_starts()
    assert refused_ids == [each.id for each in begun]


async def test_a_run_that_waits_in_prefect_ends_with_the_reason(
    loop: Loop, prefect: PrefectClient, container: int
) -> None:
    deployment = await loop.deployment()
    flow_run = await prefect.create_flow_run_from_deployment(deployment.id, parameters={})
    request = RunRequest(container_id=container, playbook=(await loop.row()).id, scope="all")
    run_id = await run_requests.accept(loop.database, request, repositories=[])
    async with loop.database.begin() as connection:
        await connection.execute(
            update(runs)
            .where(runs.c.id == run_id)
            .values(flow_run_id=flow_run.id, dispatch_time=func.now())
        )
    await loop.found("other")
    row, state = await refused(loop, prefect, flow_run.id)
    assert (row.id, row.status) == (run_id, "failed")
    assert "no longer in the repository" in row.message
    assert state.type.value == "FAILED"


async def test_what_is_scheduled_for_later_is_left_alone(
    loop: Loop, prefect: PrefectClient, container: int
) -> None:
    await loop.found("other")
    later = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=1))
    flow_run = await prefect.create_flow_run_from_deployment(
        (await loop.deployment()).id, parameters={"container_id": container}, state=later
    )
    row, state = await refused(loop, prefect, flow_run.id)
    assert (row, state.type.value) == (None, "SCHEDULED")
    assert await refused_starts.known(loop.database, [flow_run.id]) == set()


async def test_a_playbook_that_cannot_be_paused_keeps_no_other_from_it(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = (await loop.row("hunt")).deployment_id
    pause_deployment = loop.client.pause_deployment

    async def pause_others(deployment_id: UUID) -> None:
        if deployment_id == refused:
            request = httpx.Request("POST", "http://prefect/api")
            httpx.Response(422, request=request).raise_for_status()
        await pause_deployment(deployment_id)

    monkeypatch.setattr(loop.client, "pause_deployment", pause_others)
    begun = await loop.client.create_flow_run_from_deployment(
        (await loop.deployment("other")).id, parameters={"container_id": 0}
    )
    await loop.found()
    assert (await loop.deployment("other")).paused
    assert (await loop.client.read_flow_run(begun.id)).state_name == "Failed"
    monkeypatch.undo()
    await loop.look()
    assert (await loop.deployment("hunt")).paused


async def test_what_was_started_since_a_playbook_broke_is_looked_at_whatever_was_reported_since(
    loop: Loop,
) -> None:
    broke = datetime.now(UTC) - timedelta(minutes=5)
    async with loop.database.begin() as connection:
        await connection.execute(
            update(table).values(error="boom", broken_time=broke, update_time=func.now())
        )
    found = await refused_starts.read_playbooks(loop.database)
    assert [each.since for each in found] == [broke] * 2
