"""Accept, status and the first page of a list, with a thousand and with a million stored runs."""

from __future__ import annotations

import json

from tests.benchmarks.bench import Bench, say
from tests.benchmarks.installation import TWO
from tests.benchmarks.load import Target, load
from tests.benchmarks.scenarios.accept import LOGIN, URL, add, calm, container, start_body
from tests.benchmarks.sides import FLOOR, OURS

FEW, MANY = 1_000, 1_000_000
CONTAINERS, CALLERS = 1_000, 8
ROUNDS, SECONDS = 3, 1.5
SMALL = 5
"""One run of so many has no result."""

CLEAR = "TRUNCATE playbook_runs CASCADE"
# Foreign keys of a million rows take longer to check than the rows to write.
UNCHECKED = "SET session_replication_role = replica"
FILL_CONTAINERS = """
INSERT INTO containers (name, label, source_data_identifier, hash)
SELECT 'stored', 'events', 'stored ' || n, md5(n::text) FROM generate_series(1, $1::bigint) AS n
RETURNING id
"""
# One of twenty has failed; containers take turns; each has the result of one action, or none.
FILL_RUNS = """
INSERT INTO playbook_runs (
    playbook_id, container_id, owner_id, effective_user_id, scope, status, message, result,
    start_time, update_time, claim_time, end_time, dispatch_time, flow_run_id, settled,
    attempt, claim_id, worker, hostname, process_id
)
SELECT
    $3, ($2::bigint[])[1 + n % cardinality($2::bigint[])], 1, 1, 'all',
    CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'success' END, '', $4::json,
    started, started, started, started + interval '1 s', started, gen_random_uuid(), true,
    1, gen_random_uuid(), 'phantom', 'stored', 1
FROM generate_series(1, $1::bigint) AS n,
    LATERAL (SELECT now() - ($1 - n) * interval '1 s' - interval '1 h' AS started) AS times
"""


async def stored(bench: Bench) -> None:
    """Measure with few, fill, measure with many; the floor beside each."""
    system = bench.system
    run = await system.start(TWO)
    row = (await system.ended([run]))[0]
    await calm(system)
    # For good: what the other scenarios have left would make the thousand many thousands.
    await system.settled()
    await system.rows("phantom", CLEAR)
    containers = [row["id"] for row in await system.rows("phantom", FILL_CONTAINERS, CONTAINERS)]
    fresh = [start_body(await container(system, number)) for number in range(CALLERS)]
    first, count = json.dumps(json.loads(row["result"])[:1]), 0
    for size, words in ((FEW, "1 thousand"), (MANY, "1 million")):
        say(f"filling up to {words} runs")
        connection = await system.connect("phantom")
        await connection.execute(UNCHECKED)
        # Pages of nothing but large rows would leave a gap for a new run each, which does not come
        # about in life: there, runs are small when they come and grow.
        small = (size - count) // SMALL
        for number, result in ((size - count - small, first), (small, "[]")):
            await connection.execute(FILL_RUNS, number, containers, row["playbook_id"], result)
            await connection.execute("VACUUM ANALYZE playbook_runs")
        await connection.close()
        await system.rows("phantom", "CHECKPOINT")
        count = size
        await _measure(bench, words, fresh, containers[0])


async def _measure(bench: Bench, words: str, fresh: list[bytes], chosen: int) -> None:
    system, rows = bench.system, f"{await bench.floor()}/runs"
    insert, select = Target(rows, bodies=fresh), Target(f"{rows}/1")
    first, last = (await system.rows("phantom", "SELECT min(id), max(id) FROM playbook_runs"))[0]
    base, newest = system.url + URL, "sort=id&order=desc&page_size=10"
    targets = {
        "accept": (Target(base, LOGIN, fresh), insert),
        "status, oldest": (Target(f"{base}/{first}", LOGIN), select),
        "status, newest": (Target(f"{base}/{last}", LOGIN), select),
    }
    for name, chosen_by in {
        "first page, one container": f"_filter_container={chosen}",
        "first page, failed": "_filter_status=%22failed%22",
    }.items():
        listed = Target(f"{base}?{chosen_by}&{newest}", LOGIN)
        if (await system.gateway.get(listed.url)).is_success:
            targets[name] = (listed, select)
        else:
            bench.samples.remarks.append(f"stored: {name}, {words} stored: there is no such list")
    for _ in range(1 if bench.quick else ROUNDS):
        for name, sides in targets.items():
            for side, target in zip((OURS, FLOOR), sides, strict=True):
                found = await load(target, callers=CALLERS, seconds=SECONDS)
                add(bench.samples, f"{name}, {words} stored", side, found)
            await calm(system)
