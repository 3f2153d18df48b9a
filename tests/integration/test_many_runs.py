"""What lists and new runs cost where many are stored: plans and bytes, not timings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update

from prefect_phantom.adapters.store.database import measures
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.prepared import Prepared
from prefect_phantom.adapters.store.listing.page import Listing
from prefect_phantom.adapters.store.listing.request import Condition, Given, ListRequest
from prefect_phantom.adapters.store.listing.resources import RESOURCES
from prefect_phantom.adapters.store.runs import leases, playbook_runs, unsettled_runs
from prefect_phantom.adapters.store.runs.unsettled_runs import Which
from prefect_phantom.adapters.store.starts import (
    dispatch_queue,
    idempotency_keys,
    overdue_runs,
    work_queues,
)
from prefect_phantom.adapters.store.starts.run_requests import RunRequest, accept
from prefect_phantom.adapters.store.starts.work_queues import WorkQueue
from prefect_phantom.adapters.store.tables.tables import playbooks

RUNS = 50_000
NEW = 200
PAGE = 10


@dataclass
class Cost:
    """What a statement has done: which indexes it used, and the most rows that a node read."""

    nodes: list[dict[str, Any]]

    @property
    def scans(self) -> set[str]:
        return {node["Node Type"] for node in self.nodes if "Scan" in node["Node Type"]}

    @property
    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    @property
    def read(self) -> float:
        """Rows that were read of ``playbook_runs``, whether they fitted or not."""
        return sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in self.nodes
            if node.get("Relation Name") == "playbook_runs"
        )


class Explaining(Listing):
    """Has PostgreSQL explain what it carried out, and reads it as usual."""

    costs: list[Cost]

    async def _fetch(self, query, **kind):
        prepared = Prepared(query)
        prepared.text = f"EXPLAIN (ANALYZE, FORMAT JSON) {prepared.text}"
        [[explained]] = [await self._database.fetch(prepared)]
        self.costs.append(Cost(list(_nodes(explained[0]["Plan"]))))
        return await super()._fetch(query, **kind)


def _nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


@pytest.fixture(scope="module")
async def many(database: Database) -> Database:
    """50,000 runs: one container has a third of them, the others a few each; one in 50 failed."""
    async with database.begin() as connection:
        for statement in (
            "INSERT INTO users (username, type) VALUES ('admin', 'normal')",
            (
                "INSERT INTO playbooks (repository, name) SELECT 'local', 'p' || n"
                " FROM generate_series(1, 50) n"
            ),
            (
                "INSERT INTO containers (name, label, hash, source_data_identifier)"
                " SELECT 'c', 'l', n::text, n::text FROM generate_series(1, 5000) n"
            ),
            f"""
            INSERT INTO playbook_runs (playbook_id, container_id, owner_id, scope, status, end_time,
                start_time, result, settled, flow_run_id)
            SELECT 1 + n % 50, CASE WHEN n % 3 = 0 THEN 42 ELSE 1 + n % 5000 END, 1, 'all',
                CASE WHEN n > {RUNS} - 5 THEN 'running' WHEN n % 50 = 7 OR n % 150 = 0
                THEN 'failed' ELSE 'success' END,
                CASE WHEN n <= {RUNS} - 5 THEN now() END,
                '2026-01-01'::timestamptz + n * interval '1 minute', '[]', n <= {RUNS} - 5,
                gen_random_uuid()
            FROM generate_series(1, {RUNS}) n
            """,
        ):
            await connection.execute(text(statement))
    async with database.engine.connect() as connection:
        vacuum = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await vacuum.execute(text("VACUUM ANALYZE"))
    return database


@pytest.fixture
def listing(many: Database) -> Explaining:
    listing = Explaining(many, RESOURCES["playbook_run"], RESOURCES)
    listing.costs = []
    return listing


def _request(sort: str | None = None, *, descending: bool = False, **filters: object):
    conditions = [Condition(name, Given(str(value), value)) for name, value in filters.items()]
    return ListRequest(sort=sort, descending=descending, conditions=conditions)


async def test_runs_of_a_container_by_status_and_time_are_one_indexed_read(listing):
    request = _request(
        "start_time",
        descending=True,
        container=42,
        status="failed",
        start_time__gt="2026-01-20",
    )
    page = await listing.read(request)
    first = listing.costs[0]
    assert page.count > 2 * PAGE
    assert first.indexes >= {"ix_playbook_runs_container_status_time"}
    assert first.read == PAGE


@pytest.mark.parametrize(
    ("filters", "sort", "most"),
    [
        ({"container": 42, "status": "running"}, None, PAGE),
        ({"container": 42, "status": "failed"}, "start_time", PAGE),
        ({"container": 7}, None, 40),
        ({"container": 42}, None, 60),
        ({"status": "running"}, None, PAGE),
        ({"status": "failed"}, None, PAGE),
        ({"start_time__gt": "2026-02-03"}, "start_time", PAGE),
        ({"id__gt": 40_000}, None, PAGE),
        ({"parent_run": 5}, None, 0),
        ({"playbook": 7}, None, 1000),
        ({"playbook": 7, "status": "success"}, "start_time", 1000),
        ({}, "start_time", PAGE),
        ({}, None, PAGE),
    ],
)
@pytest.mark.parametrize("descending", [False, True])
async def test_what_clients_filter_by_reads_little_for_its_first_page(
    listing, filters, sort, most, descending
):
    await listing.read(_request(sort, descending=descending, **filters))
    first = listing.costs[0]
    assert "Seq Scan" not in {
        node["Node Type"] for node in first.nodes if node.get("Relation Name") == "playbook_runs"
    }
    assert first.read <= most


async def test_a_page_that_is_not_full_needs_no_count(listing):
    page = await listing.read(_request(container=42, status="running"))
    assert page.count < PAGE
    assert len(listing.costs) == 1


async def test_results_are_not_read_for_a_list(many):
    """A column that is not selected is not fetched from where large values are kept."""
    listing = Explaining(many, RESOURCES["playbook_run"], RESOURCES)
    statement = str(listing._select(ListRequest()))
    assert "playbook_runs.result" not in statement
    assert "playbook_runs.result" in str(listing._select(ListRequest(expensive=True)))


ROUND = {
    **{
        f"what Prefect says of runs: {which}": partial(
            unsettled_runs.read_page, which=which, after=0, limit=100
        )
        for which in Which
    },
    "dispatch": partial(dispatch_queue.take, window=4),
    "runs that wait too long": partial(overdue_runs.end_overdue, hours=100_000),
    "leases that are over": leases.end_expired,
    "runs of a worker that has gone": partial(
        leases.end_held_by, worker="gone", machine="m", reason="", final=True
    ),
    "pauses that no run has waited through": work_queues.forget_old,
    "keys that are old": idempotency_keys.delete_old,
    "measures": measures.read,
    "runs that a playbook's cancel is for": partial(playbook_runs.open_runs, playbook_id=1),
}
"""What a gateway asks all the time, whether there is anything to do or not; the last at a call."""


@pytest.mark.parametrize("ask", ROUND.values(), ids=ROUND)
async def test_what_is_asked_all_the_time_reads_no_run_that_is_over(many, ask):
    database = Database(many.url, pool_size=1)
    before = await _read_runs(database)
    await ask(database)
    assert await _read_runs(database) - before < 2 * PAGE
    await database.close()


async def test_after_missed_events_no_more_than_the_newest_runs_are_read(many, monkeypatch):
    monkeypatch.setattr(unsettled_runs, "NEWEST", 10 * PAGE)
    database = Database(many.url, pool_size=1)
    before = await _read_runs(database)
    await unsettled_runs.read_ended_lately(database, after=0, limit=200)
    assert await _read_runs(database) - before < 12 * PAGE
    await database.close()


async def test_runs_that_a_paused_queue_holds_back_are_not_read_all_the_time(many):
    """Others that have waited too long, and those whose worker is dead, end behind any number."""
    count, queue_id = 20_000, uuid4()
    database = Database(many.url, pool_size=1)
    async with database.begin() as connection:
        backlog = f"""
            INSERT INTO playbook_runs (playbook_id, container_id, scope, queue_time, update_time)
            SELECT CASE WHEN n = {count} THEN 2 ELSE 1 END, 1, 'all', old, old
            FROM generate_series(1, {count}) n, (SELECT now() - interval '5 hours' AS old) AS time
            RETURNING id
            """
        *_, overdue = (await connection.execute(text(backlog))).scalars()
        paused = update(playbooks).where(playbooks.c.id == 1).values(work_queue_id=queue_id)
        await connection.execute(paused)
    await work_queues.note(database, [WorkQueue(queue_id, "phantom", "q", room=0, paused=True)])
    before = await _read_runs(database)
    assert await overdue_runs.end_overdue(database, hours=3) == [overdue]
    assert await _read_runs(database) - before < 10 * PAGE
    # Nor are all of them when they may start, and their pause does not count.
    await work_queues.note(database, [WorkQueue(queue_id, "phantom", "q")])
    async with database.begin() as connection:
        begin = "UPDATE work_queue_pauses SET begin_time = now() - interval '10 hours'"
        await connection.execute(text(begin))
    before = await _read_runs(database)
    assert await overdue_runs.end_overdue(database, hours=3) == []
    assert await _read_runs(database) - before < 2 * overdue_runs.BATCH
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM playbook_runs WHERE flow_run_id IS NULL"))
        await connection.execute(text("TRUNCATE work_queues, work_queue_pauses"))
        await connection.execute(update(playbooks).values(work_queue_id=None))
    await database.close()


async def _read_runs(database):
    """How many rows of runs have been read so far, from the table or by an index."""
    await database.fetch(Prepared(select(func.pg_stat_force_next_flush())))
    async with database.begin() as connection:
        await connection.execute(text("SELECT pg_stat_force_next_flush()"))
    async with database.begin() as connection:
        return await connection.scalar(
            text(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables"
                " WHERE relname = 'playbook_runs'"
            )
        )


async def test_a_new_run_writes_to_few_pages_however_many_runs_there_are(many):
    """The first change of a page after a checkpoint writes it whole: 8 kB for each page."""
    request = RunRequest(container_id=5000, playbook=1, scope="all")
    await accept(many, request, repositories=["local"])
    async with many.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("CHECKPOINT"))
        before = await alone.scalar(text("SELECT pg_current_wal_insert_lsn() - '0/0'"))
        for _ in range(NEW):
            await accept(many, request, repositories=["local"])
        after = await alone.scalar(text("SELECT pg_current_wal_insert_lsn() - '0/0'"))
    assert (after - before) / NEW < 4096


async def test_a_long_queue_that_is_paused_is_not_read_for_the_others(many):
    queued = text(
        "INSERT INTO playbook_runs (playbook_id, container_id, scope)"
        " SELECT :playbook, 42, 'all' FROM generate_series(1, :count)"
    )
    paused, free = (WorkQueue(UUID(int=n), "phantom", f"q{n}") for n in (1, 2))
    await work_queues.note(many, [replace(paused, room=0, asks=True, paused=True), free])
    async with many.begin() as connection:
        for playbook, queue, count in ((1, paused, 5000), (2, free, 2)):
            await connection.execute(queued, {"playbook": playbook, "count": count})
            await connection.execute(
                update(playbooks).where(playbooks.c.id == playbook).values(work_queue_id=queue.id)
            )
    database = Database(many.url, pool_size=1)
    before = await _read_runs(database)
    taken = await dispatch_queue.take(database, window=PAGE)
    read = await _read_runs(database) - before
    await database.close()
    assert [run.playbook_id for run in taken] == [2, 2]
    assert read < 5 * PAGE
