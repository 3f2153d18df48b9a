"""Accept and status: answers a second and their latency, ours, stock and the floor in turn."""

from __future__ import annotations

import json

from tests.benchmarks.installation import PASSWORD, USER, Installation
from tests.benchmarks.load import Load, Target, load
from tests.benchmarks.samples import FLOOR, OURS, SLOW, Samples
from tests.benchmarks.stock import Stock, delete_scheduled, later

ROUNDS, SECONDS = 2, 1.0
ACCEPT_CALLERS = (1, 8, 32)
STATUS_CALLERS = 32
LOGIN = f"{USER}:{PASSWORD}"
BUSY = "accept, 32 concurrent, all on one container"


async def accepts(system: Installation, stock: Stock, floor: str, samples: Samples) -> None:
    """Start runs of a playbook that ends them at once, and create flow runs due in a week."""
    bodies = [_start(await _container(system, number)) for number in range(max(ACCEPT_CALLERS))]
    url = f"{system.url}/rest/playbook_run"
    theirs = f"{system.prefect_url}{stock.path('two_tasks')}"
    sides = {
        OURS: Target(url, LOGIN, bodies),
        SLOW: Target(theirs, system.prefect_auth, [json.dumps(later()).encode()]),
        FLOOR: Target(f"{floor}/runs", bodies=bodies),
    }
    for target in sides.values():  # the first calls make connections
        await load(target, callers=8, seconds=0.5)
        await _calm(system)
    for callers in ACCEPT_CALLERS:
        for _ in range(ROUNDS):
            for side, target in sides.items():
                found = await load(target, callers=callers, seconds=SECONDS)
                _add(samples, f"accept, {callers} concurrent", side, found)
                await _calm(system)
    found = await load(Target(url, LOGIN, bodies[:1]), callers=32, seconds=SECONDS)
    _add(samples, BUSY, OURS, found)
    await _calm(system)
    await delete_scheduled(system)


async def statuses(system: Installation, floor: str, run: int, samples: Samples) -> None:
    """Read one finished run, and one row of the floor."""
    sides = {
        OURS: Target(f"{system.url}/rest/playbook_run/{run}", LOGIN),
        FLOOR: Target(f"{floor}/runs/1"),
    }
    for _ in range(ROUNDS):
        for side, target in sides.items():
            found = await load(target, callers=STATUS_CALLERS, seconds=SECONDS)
            _add(samples, f"status, {STATUS_CALLERS} concurrent", side, found)


async def _container(system: Installation, number: int) -> int:
    body = {"name": f"benchmark {number}", "label": "events"}
    answer = await system.gateway.post("/rest/container", json=body)
    return int(answer.raise_for_status().json()["id"])


def _start(container: int) -> bytes:
    body = {"container_id": container, "playbook_id": "local/broken", "run": True}
    return json.dumps(body).encode()


async def _calm(system: Installation) -> None:
    # The dispatcher ends the runs of the last phase: the next one does not pay for that.
    ids = await system.rows("phantom", "SELECT id FROM playbook_runs WHERE end_time IS NULL")
    await system.ended([row["id"] for row in ids])


def _add(samples: Samples, name: str, side: str, found: Load) -> None:
    samples.add(f"{name}: rate", side, [found.rate], unit="/s", rate=True)
    milliseconds = [seconds * 1000 for seconds in found.latencies]
    samples.add(f"{name}: latency", side, milliseconds, unit="ms")
    if found.errors:
        samples.add(f"{name}: errors", side, [found.errors], unit="")
