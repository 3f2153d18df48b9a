"""Accept: runs accepted a second, beside flow runs created by stock and rows by the floor."""

from __future__ import annotations

import json

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import PASSWORD, USER, Installation
from tests.benchmarks.load import Load, Target, load
from tests.benchmarks.samples import Samples
from tests.benchmarks.sides import FLOOR, OURS, SERVE_10, WORKER_10
from tests.benchmarks.stock import delete_scheduled, later

CALLERS = (1, 8, 32, 128)
ROUNDS, SECONDS = 2, 1.5
LOGIN = f"{USER}:{PASSWORD}"
URL = "/rest/playbook_run"


async def accept(bench: Bench) -> None:
    """Start runs of a playbook that ends them at once; create flow runs that are due in a week."""
    system, samples = bench.system, bench.samples
    bodies = [start_body(await container(system, number)) for number in range(max(CALLERS))]
    ours = Target(system.url + URL, LOGIN, bodies)
    sides = {OURS: ours}
    # Creation does not depend on polling, but it does on whether there is a work pool.
    stocks = {side: await bench.stock(side) for side in (SERVE_10, WORKER_10)}
    body = [json.dumps(later()).encode()]
    for side, stock in stocks.items():
        url = system.prefect_url + stock.path("two_tasks")
        sides[side] = Target(url, system.prefect_auth, body)
    sides[FLOOR] = Target(f"{await bench.floor()}/runs", bodies=bodies)
    for target in sides.values():  # the first calls make connections
        await load(target, callers=8, seconds=0.5)
    await calm(system)
    for callers in CALLERS:
        for _ in range(1 if bench.quick else ROUNDS):
            for side, target in sides.items():
                found = await load(target, callers=callers, seconds=SECONDS)
                add(samples, f"accept, {callers} concurrent", side, found)
                await calm(system)
    found = await load(Target(ours.url, LOGIN, bodies[:1]), callers=32, seconds=SECONDS)
    add(samples, "accept, 32 concurrent, all on one container", OURS, found)
    await calm(system)
    for stock in stocks.values():
        await delete_scheduled(system, list(stock.deployments.values()))


def start_body(container: int) -> bytes:
    """Request for a run that ends as soon as the dispatcher sees it."""
    body = {"container_id": container, "playbook_id": "local/broken", "run": True}
    return json.dumps(body).encode()


async def container(system: Installation, number: int) -> int:
    """Id of a new container."""
    body = {"name": f"benchmark {number}", "label": "events"}
    answer = await system.gateway.post("/rest/container", json=body)
    return int(answer.raise_for_status().json()["id"])


async def calm(system: Installation) -> None:
    """Until all runs have ended: the next phase does not pay for those of the last."""
    ids = await system.rows("phantom", "SELECT id FROM playbook_runs WHERE end_time IS NULL")
    await system.ended([row["id"] for row in ids])


def add(samples: Samples, name: str, side: str, found: Load) -> None:
    """Add what one load found: milliseconds and rate."""
    milliseconds = [seconds * 1000 for seconds in found.latencies]
    samples.add(name, side, milliseconds, rate=found.rate, errors=found.errors)
