"""What is put right in our database after a restore."""

from __future__ import annotations

from uuid import uuid4

from prefect_phantom.adapters.store.playbooks import worker_names
from prefect_phantom.adapters.store.playbooks.worker_names import Holder
from prefect_phantom.adapters.store.runs import playbook_runs, restored
from prefect_phantom.adapters.store.runs.restored import LEFT_OUT


async def test_an_offered_run_that_prefect_does_not_know_is_offered_again(shop):
    known, unknown, claimed = [await shop.hand_over() for _ in range(3)]
    await shop.claim(claimed)
    offered = await restored.offered(shop.database)
    assert {known.flow_run_id, unknown.flow_run_id} <= set(offered)
    assert claimed.flow_run_id not in offered
    await restored.queue_again(shop.database, {unknown.flow_run_id, claimed.flow_run_id})
    rows = [await shop.read(each.playbook_run_id) for each in (known, unknown, claimed)]
    assert [row.flow_run_id for row in rows] == [known.flow_run_id, None, claimed.flow_run_id]
    assert rows[1].dispatch_time is None
    assert rows[1].status == "running"


async def test_an_ended_run_that_prefect_takes_for_open_is_told_to_it(shop):
    ended, other = await shop.hand_over(), await shop.hand_over()
    for each in (ended, other):
        async with shop.database.begin() as connection:
            await playbook_runs.finish(
                connection, each.playbook_run_id, "failed", "over", settled=True
            )
    await restored.compare_again(shop.database, [ended.flow_run_id, uuid4()])
    rows = [await shop.read(each.playbook_run_id) for each in (ended, other)]
    assert [row.settled for row in rows] == [False, True]


async def test_open_runs_end_and_say_why_and_prefect_is_told_where_it_knows_of_them(shop):
    queued, offered, claimed = await shop.accept(), await shop.hand_over(), await shop.hand_over()
    cancelling = await shop.hand_over()
    for each in (claimed, cancelling):
        await shop.claim(each)
    await shop.cancel(cancelling.playbook_run_id)
    ended = await restored.end_open(shop.database, "Restored")
    assert ended.failed >= 4
    rows = [
        await shop.read(each)
        for each in (queued, *(each.playbook_run_id for each in (offered, claimed, cancelling)))
    ]
    assert {row.status for row in rows} == {"failed"}
    assert [row.message for row in rows] == [*["Restored"] * 3, "Cancelled by operator"]
    assert [row.settled for row in rows] == [True, False, False, False]
    assert all(row.claim_id is None and row.end_time is not None for row in rows)


async def test_ids_that_may_have_been_given_after_the_backup_are_left_out(shop):
    last = await shop.accept()
    await restored.leave_out_ids(shop.database)
    assert await shop.accept() > last + LEFT_OUT


async def test_no_worker_has_its_name_in_a_restored_database(shop):
    first, second = (
        Holder(holder=uuid4(), hostname="host", process_id=1, process="machine namespace 1 1")
        for _ in range(2)
    )
    assert await worker_names.take(shop.database, "w", first, uuid4(), dead=None) is None
    assert await worker_names.take(shop.database, "w", second, uuid4(), dead=None) is not None
    await restored.free_worker_names(shop.database)
    assert await worker_names.take(shop.database, "w", second, uuid4(), dead=None) is None
