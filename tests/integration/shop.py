"""The store with one container and one playbook, as dispatcher, run and caller use it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy import func, select, update

from prefect_phantom.adapters.store.case import new_artifacts
from prefect_phantom.adapters.store.case.new_artifacts import NewArtifact
from prefect_phantom.adapters.store.database.database import compact_json
from prefect_phantom.adapters.store.runs import action_runs, attempts, playbook_runs
from prefect_phantom.adapters.store.runs.action_runs import ActionStart, AppRunEnd
from prefect_phantom.adapters.store.runs.attempts import Claim, ClaimRequest
from prefect_phantom.adapters.store.starts import run_requests
from prefect_phantom.adapters.store.starts.automation import Automation
from prefect_phantom.adapters.store.starts.run_requests import RunRequest
from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs

REPOSITORIES = ["local", "examples"]


class Shop:
    """The store with one container and one playbook, as dispatcher, run and caller use it."""

    def __init__(self, database, container_id: int) -> None:
        self.database = database
        self.container_id = container_id

    async def accept(self, scope: str | list[int] = "all", **fields) -> int:
        request = RunRequest(self.container_id, "hunt", scope, **fields)
        return await run_requests.accept(self.database, request, repositories=REPOSITORIES)

    async def hand_over(self, **fields) -> ClaimRequest:
        """A run that stands in Prefect, as its process will ask for it."""
        return await self.hand_over_run(await self.accept(**fields))

    async def hand_over_run(self, run_id: int) -> ClaimRequest:
        request = self.request(playbook_run_id=run_id)
        await self.change(run_id, dispatch_time=func.now(), flow_run_id=request.flow_run_id)
        return request

    def request(self, **fields) -> ClaimRequest:
        return replace(
            ClaimRequest(
                claim_id=uuid4(), flow_run_id=uuid4(), deployment_id=None, playbook="hunt",
                playbook_run_id=None, container_id=self.container_id, scope="all", inputs=None,
                worker="w1", hostname="h", process_id=7, process_start=1.5, machine="m",
            ),
            **fields,
        )  # fmt: skip

    async def claim(self, request: ClaimRequest | None = None) -> Claim:
        request = request or await self.hand_over()
        return await attempts.claim(
            self.database, request, token=uuid4().hex, repositories=REPOSITORIES
        )

    async def start_action(self, token: str, start_key: UUID | None = None):
        request = ActionStart(
            start_key or uuid4(), "whois ip", "WHOIS", "investigate", "whois ip",
            [{"ip": "192.0.2.1"}], assets=None, needs_asset=False,
        )  # fmt: skip
        return await action_runs.start(self.database, token, request)

    async def end_action(
        self, token: str, action_run_id: int, app_run_id: int = 0, status: str = "failed"
    ):
        result = {"parameter": {"ip": "192.0.2.1"}, "status": status, "message": "found"}
        part = AppRunEnd(
            *(app_run_id, status, "1 done"),
            exception_occured=False,
            entries=compact_json([result]),
            results=compact_json([result]),
        )
        await action_runs.end(
            self.database, token, action_run_id, status=status, message="1 done", ends=[part]
        )

    async def ask(self, what: str, token: str, action_run_id: int = 1) -> None:
        if what == "start of an action":
            await self.start_action(token)
        elif what == "end of an action":
            await self.end_action(token, action_run_id)
        else:
            await attempts.end(self.database, token, "success", "")

    async def cancel(self, run_id: int) -> None:
        await cancel(self.database, run_id)

    async def change(self, run_id: int, **columns) -> None:
        async with self.database.begin() as connection:
            await connection.execute(update(runs).where(runs.c.id == run_id).values(**columns))

    async def read(self, run_id: int):
        async with self.database.begin() as connection:
            return (await connection.execute(select(runs).where(runs.c.id == run_id))).one()

    async def add_artifact(self) -> int:
        new = NewArtifact(ArtifactFields(name="a"))
        brought = await new_artifacts.create(self.database, self.container_id, [new], Automation())
        (made,) = brought.outcomes
        assert isinstance(made, int)
        return made


async def cancel(database, run_id: int) -> None:
    reason = "Cancelled by operator"
    await playbook_runs.request_cancel(database, run_id, user_id=None, text=reason)
