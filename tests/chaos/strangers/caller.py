"""Somebody who works meanwhile: reads how runs stand, starts some, and has others under way."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import httpx

from tests.chaos.installation import PASSWORD, USER, Installation

STATUS_SECONDS = 0.04
START_SECONDS = 0.5
LOOK_SECONDS = 1.0
LEASES = """
    SELECT min(extract(epoch FROM lease_expire_time - now()))::float FROM playbook_runs
    WHERE id = ANY($1) AND end_time IS NULL
"""
ENDED = "SELECT id, status, message FROM playbook_runs WHERE id = ANY($1)"


@dataclass
class Seen:
    """What a caller has seen: seconds of each answer, what failed, and what became of runs."""

    status: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    least_lease: float = 60.0
    runs: list[int] = field(default_factory=list)


def percentile(values: list[float], place: int) -> float:
    """A percentile in milliseconds."""
    return quantiles(values, n=100)[place - 1] * 1000


class Caller:
    """A legitimate caller of an installation, for one phase."""

    def __init__(self, system: Installation, token: str) -> None:
        self.system = system
        self.seen = Seen()
        headers = {"ph-auth-token": token}
        self._client = httpx.AsyncClient(
            base_url=system.url, headers=headers, timeout=60, verify=False
        )

    async def work(self, seconds: float, *, large: bool = False) -> Seen:
        """Work for so long, with runs under way that last as long; return what was seen.

        With `large` one more of them is answered with 4 MB again and again.
        """
        lasting = [await self._start("examples/wait", seconds=seconds) for _ in range(2)]
        if large:
            lasting.append(await self._start("local/large", seconds=seconds))
        over = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(STATUS_SECONDS, over, lambda: self._read(lasting[0])))
            group.create_task(self._every(START_SECONDS, over, self._start_light))
            group.create_task(self._every(LOOK_SECONDS, over, lambda: self._look(lasting)))
        await self._judge([*lasting, *self.seen.runs])
        await self._client.aclose()
        return self.seen

    async def _every(self, seconds: float, over: float, act: Any) -> None:
        """Do it at fixed moments, so that what is slow is not asked for less often."""
        due = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        while due < over:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.add(asyncio.create_task(act()))
            due += seconds
        await asyncio.gather(*tasks)

    async def _read(self, run_id: int) -> None:
        await self._timed(self.seen.status, "GET", f"/rest/playbook_run/{run_id}")

    async def _start_light(self) -> None:
        self.seen.runs.append(await self._start("local/plain", self.seen.start))

    async def _start(self, playbook: str, into: list[float] | None = None, **inputs: object) -> int:
        body = {"container_id": 42, "playbook_id": playbook, "run": True, "inputs": inputs}
        answer = await self._timed(into, "POST", "/rest/playbook_run", body)
        return int(answer["playbook_run_id"]) if answer else 0

    async def _timed(
        self, into: list[float] | None, method: str, path: str, body: object = None
    ) -> dict[str, Any]:
        start = time.monotonic()
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.seen.failures.append(f"{method} {path}: {error!r}")
            return {}
        if into is not None:
            into.append(time.monotonic() - start)
        if answer.is_error:
            self.seen.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:100]}")
            return {}
        content: dict[str, Any] = answer.json()
        return content

    async def _look(self, lasting: list[int]) -> None:
        [[left]] = await self.system.rows("phantom", LEASES, lasting)
        if left is not None:
            self.seen.least_lease = min(self.seen.least_lease, left)

    async def _judge(self, runs: list[int]) -> None:
        """Wait for the end of all runs, and note which did not end in success."""
        await self.system.all_ended(120)
        rows = {row["id"]: row for row in await self.system.rows("phantom", ENDED, runs)}
        for run in runs:
            row = rows.get(run)
            if row is None or row["status"] != "success":
                self.seen.lost.append(f"run {run}: {dict(row) if row else 'no row'}")


async def make_tokens(system: Installation) -> tuple[str, str]:
    """Tokens of a caller who may run playbooks, and of a viewer."""
    made = []
    async with httpx.AsyncClient(
        base_url=system.url, auth=(USER, PASSWORD), timeout=60, verify=False
    ) as admin:
        for name, role in (("caller", "Automation"), ("viewer", "Observer")):
            user = {"username": name, "type": "automation", "roles": [role]}
            answer = await admin.post("/rest/ph_user", json=user)
            made.append(str(answer.raise_for_status().json()["token"]))
    return made[0], made[1]
