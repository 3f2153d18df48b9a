"""Attempts on a real PostgreSQL: who may have a run, and what an attempt may still do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from prefect_phantom.adapters.errors import Invalid, NotFound, NotReady, Superseded
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.runs import attempts, playbook_runs
from prefect_phantom.adapters.store.runs import unsettled_runs as unsettled
from prefect_phantom.adapters.store.runs.attempts import Claim
from prefect_phantom.adapters.store.tables.tables import playbook_runs as runs
from tests.integration.shop import REPOSITORIES, Shop, cancel

PATIENCE = 10.0
EVERY_REQUEST = ["start of an action", "end of an action", "end of the run"]


async def during(shop: Shop, first, second) -> None:
    """Do `second` between the work of `first` and its commit; wait for both."""
    done, release = asyncio.Event(), asyncio.Event()

    class Undecided:
        @asynccontextmanager
        async def begin(self):
            async with shop.database.begin() as connection:
                yield connection
                done.set()
                await release.wait()

    one = asyncio.create_task(first(Undecided()))
    await done.wait()
    other = asyncio.create_task(second)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    try:
        async with asyncio.timeout(PATIENCE):
            while not other.done():
                async with shop.database.begin() as connection:
                    if await connection.scalar(waiting):
                        break
                await asyncio.sleep(0.01)
    finally:
        release.set()
        await one
    await other


async def test_the_process_that_asks_first_gets_the_run_and_its_data(shop):
    artifact_id = await shop.add_artifact()
    claim = await shop.claim(await shop.hand_over(inputs={"seconds": 1}))
    assert (claim.playbook, claim.attempt, claim.inputs) == ("local/hunt", 1, {"seconds": 1})
    assert claim.container["id"] == shop.container_id
    assert [artifact["id"] for artifact in claim.artifacts] == [artifact_id]


async def test_asking_again_after_a_lost_answer_gives_the_same_attempt_and_a_working_token(shop):
    request = await shop.hand_over()
    first = await shop.claim(request)
    second = await shop.claim(request)
    assert (second.playbook_run_id, second.attempt) == (first.playbook_run_id, 1)
    await shop.start_action(second.token)


async def test_a_second_process_is_refused_and_told_that_another_holds_the_run(shop):
    request = await shop.hand_over()
    first = await shop.claim(request)
    with pytest.raises(Superseded, match="held by another process") as refused:
        await shop.claim(replace(request, claim_id=uuid4()))
    assert refused.value.held_elsewhere
    await shop.start_action(first.token)


async def test_many_processes_at_once_get_one_attempt(shop):
    request = await shop.hand_over()
    asked = [shop.claim(replace(request, claim_id=uuid4())) for _ in range(8)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Claim", *["RunElsewhere"] * 7]


async def test_a_process_that_asks_while_another_is_being_given_the_run_is_refused(shop):
    request = await shop.hand_over()

    def first(database):
        return attempts.claim(database, request, token=uuid4().hex, repositories=REPOSITORIES)

    with pytest.raises(Superseded, match="held by another process"):
        await during(shop, first, shop.claim(replace(request, claim_id=uuid4())))


@pytest.mark.parametrize("what", EVERY_REQUEST)
async def test_a_cancel_that_is_being_committed_refuses_the(shop, what):
    claim = await shop.claim()
    action_run_id, _ = await shop.start_action(claim.token)
    with pytest.raises(Superseded, match="was cancelled"):
        await during(
            shop,
            lambda database: cancel(database, claim.playbook_run_id),
            shop.ask(what, claim.token, action_run_id),
        )


async def test_another_flow_run_is_refused(shop):
    request = await shop.hand_over()
    with pytest.raises(Superseded, match="belongs to another flow run") as refused:
        await shop.claim(replace(request, flow_run_id=uuid4()))
    assert not refused.value.held_elsewhere
    assert (await shop.read(request.playbook_run_id)).claim_id is None


async def test_a_run_that_does_not_exist_is_refused(shop):
    with pytest.raises(Superseded, match="There is no playbook run 999999"):
        await shop.claim(shop.request(playbook_run_id=999999))


async def test_a_cancelled_run_is_not_given_to_anybody(shop):
    request = await shop.hand_over()
    await shop.cancel(request.playbook_run_id)
    with pytest.raises(Superseded, match="was cancelled") as refused:
        await shop.claim(request)
    assert not refused.value.held_elsewhere


@pytest.mark.parametrize("status", ["success", "failed"])
async def test_a_run_that_has_ended_is_not_given_to_anybody(shop, status):
    request = await shop.hand_over()
    token = (await shop.claim(request)).token
    await attempts.end(shop.database, token, status, "")
    for asking in (request, replace(request, claim_id=uuid4())):
        with pytest.raises(Superseded, match="has ended and does not run again"):
            await shop.claim(asking)


@pytest.mark.parametrize("dispatch_time", [func.now(), None], ids=["under way", "given back"])
async def test_a_process_faster_than_the_dispatcher_is_asked_to_come_again(shop, dispatch_time):
    """A creation may have reached Prefect although its answer did not reach the dispatcher."""
    run_id = await shop.accept()
    await shop.change(run_id, dispatch_time=dispatch_time)
    request = shop.request(playbook_run_id=run_id)
    with pytest.raises(NotReady):
        await shop.claim(request)
    await shop.change(run_id, dispatch_time=func.now(), flow_run_id=request.flow_run_id)
    assert (await shop.claim(request)).playbook_run_id == run_id


async def test_a_run_that_begins_in_prefect_gets_its_row_once(shop):
    request = shop.request(inputs={"seconds": 1})
    first = await shop.claim(request)
    assert (await shop.claim(request)).playbook_run_id == first.playbook_run_id
    with pytest.raises(Superseded) as refused:
        await shop.claim(replace(request, claim_id=uuid4()))
    assert refused.value.held_elsewhere
    row = await shop.read(first.playbook_run_id)
    assert (row.status, row.flow_run_id) == ("running", request.flow_run_id)
    assert first.inputs == {"seconds": 1}


async def test_concurrent_claims_of_a_run_that_begins_in_prefect_make_one_row(shop):
    request = shop.request()

    async def ask() -> Claim | Superseded:
        while True:
            try:
                return await shop.claim(replace(request, claim_id=uuid4()))
            except NotReady:
                continue
            except Superseded as superseded:
                return superseded

    answers = await asyncio.gather(*(ask() for _ in range(8)))
    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    async with shop.database.begin() as connection:
        made = select(func.count()).where(runs.c.flow_run_id == request.flow_run_id)
        assert await connection.scalar(made) == 1


async def test_the_deployment_of_a_run_that_begins_in_prefect_names_its_playbook(shop):
    other = FoundPlaybook("other", "rare", folder="/p", entrypoint="rare.py:rare")
    hunt = FoundPlaybook("local", "hunt", folder="/p", entrypoint="hunt.py:hunt")
    await save_found(shop.database, [hunt, other])
    rare = next(row for row in await playbooks.read_all(shop.database) if row.name == "rare")
    deployment_id = uuid4()
    await playbooks.record_deployment(
        shop.database, rare.id, deployment_id, digest="", isolation="fork"
    )
    assert (await shop.claim(shop.request(deployment_id=deployment_id))).playbook == "other/rare"
    assert (await shop.claim(shop.request(deployment_id=uuid4()))).playbook == "local/hunt"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"container_id": 999999}, 'Container "999999"'),
        ({"container_id": 0}, 'Container "0"'),
        ({"playbook": "nothing"}, 'Playbook "nothing"'),
        ({"playbook": "1"}, 'Playbook "1"'),  # a flow of that name is no id
    ],
)
async def test_a_run_that_begins_in_prefect_and_cannot_be_made_says_why(shop, fields, named):
    with pytest.raises(NotFound, match=f"^{named} not found$"):
        await shop.claim(shop.request(**fields))


@pytest.mark.parametrize("what", EVERY_REQUEST)
async def test_a_stale_attempt_is_refused_the(shop, what):
    request = await shop.hand_over()
    stale = await shop.claim(request)
    action_run_id, (app_run,) = await shop.start_action(stale.token)
    await unsettled.release(shop.database, stale.playbook_run_id)
    current = await shop.claim(replace(request, claim_id=uuid4()))
    assert current.attempt == 2
    with pytest.raises(Superseded) as refused:
        await shop.ask(what, stale.token, action_run_id)
    assert refused.value.held_elsewhere
    await shop.end_action(current.token, action_run_id, app_run.id, "success")
    await attempts.end(shop.database, current.token, "success", "")


@pytest.mark.parametrize("what", EVERY_REQUEST)
@pytest.mark.parametrize("where", ["by a caller", "in Prefect"])
async def test_a_cancelled_run_refuses_the(shop, what, where):
    claim = await shop.claim()
    run_id = claim.playbook_run_id
    action_run_id, _ = await shop.start_action(claim.token)
    if where == "in Prefect":
        await unsettled.note_cancelling(shop.database, run_id)
    else:
        await shop.cancel(run_id)
    with pytest.raises(Superseded, match="was cancelled") as refused:
        await shop.ask(what, claim.token, action_run_id)
    assert not refused.value.held_elsewhere
    run = await playbook_runs.read(shop.database, run_id)
    assert (run.status, run.actions()) == ("running", [])
    assert run.cancelled == (
        "Cancelled in Prefect" if where == "in Prefect" else "Cancelled by operator"
    )


async def test_the_cancel_that_came_first_is_the_one_that_is_shown(shop):
    run_id = (await shop.claim()).playbook_run_id
    await shop.cancel(run_id)
    await unsettled.end_cancelled(shop.database, run_id, text="Cancelled in Prefect", settled=True)
    row = await shop.read(run_id)
    assert (row.status, row.cancelled) == ("failed", "Cancelled by operator")


async def test_saying_the_end_twice_is_fine_and_another_end_is_refused(shop):
    claim = await shop.claim()
    await attempts.end(shop.database, claim.token, "failed", "boom")
    ended = await shop.read(claim.playbook_run_id)
    await attempts.end(shop.database, claim.token, "failed", "boom")
    for status, message in (("success", ""), ("failed", "bang")):
        with pytest.raises(Superseded):
            await attempts.end(shop.database, claim.token, status, message)
    assert await shop.read(claim.playbook_run_id) == ended


@pytest.mark.parametrize("what", EVERY_REQUEST[:2])
async def test_an_ended_run_refuses_the(shop, what):
    claim = await shop.claim()
    await attempts.end(shop.database, claim.token, "success", "")
    with pytest.raises(Superseded, match="has ended"):
        await shop.ask(what, claim.token)


async def test_a_start_that_is_asked_for_again_is_one_action_run(shop):
    token = (await shop.claim()).token
    start_key = uuid4()
    assert await shop.start_action(token, start_key) == await shop.start_action(token, start_key)


async def test_the_key_of_a_start_is_that_of_one_run(shop):
    start_key = uuid4()
    await shop.start_action((await shop.claim()).token, start_key)
    with pytest.raises(Invalid, match="another run's action"):
        await shop.start_action((await shop.claim()).token, start_key)


async def test_an_action_that_has_ended_stays_as_it_is(shop):
    claim = await shop.claim()
    action_run_id, (app_run,) = await shop.start_action(claim.token)
    await shop.end_action(claim.token, action_run_id, app_run.id, "success")
    await shop.end_action(claim.token, action_run_id, app_run.id, "failed")
    (result,) = (await playbook_runs.read(shop.database, claim.playbook_run_id)).actions()
    assert (result["status"], result["app_runs"][0]["status"]) == ("success", "success")


async def test_an_attempt_cannot_end_the_action_of_another_run(shop):
    mine, other = await shop.claim(), await shop.claim()
    action_run_id, (app_run,) = await shop.start_action(other.token)
    await shop.end_action(mine.token, action_run_id, app_run.id, "success")
    assert (await playbook_runs.read(shop.database, other.playbook_run_id)).actions() == []


async def test_the_scope_says_which_artifacts_a_run_sees(shop):
    async def seen(scope, *, late: bool = False) -> list[int]:
        request = await shop.hand_over(scope=scope)
        if late:
            await shop.add_artifact()  # too late for a run that was accepted before
        return [artifact["id"] for artifact in (await shop.claim(request)).artifacts]

    one, two = await shop.add_artifact(), await shop.add_artifact()
    assert await seen([two]) == [two]
    assert await seen([]) == []
    assert await seen("new") == [one, two]
    assert await seen("new") == []
    three = await shop.add_artifact()
    assert await seen([one]) == [one]
    assert await seen("new", late=True) == [three]
    assert len(await seen("all")) == 4
    assert await seen("new") == []


async def test_actions_under_way_are_closed_when_the_run_ends(shop):
    claim = await shop.claim()
    ended_id, (app_run,) = await shop.start_action(claim.token)
    await shop.end_action(claim.token, ended_id, app_run.id, "success")
    open_id, _ = await shop.start_action(claim.token)
    await attempts.end(shop.database, claim.token, "failed", "boom")
    first, second = (await playbook_runs.read(shop.database, claim.playbook_run_id)).actions()
    assert (first["id"], first["status"]) == (ended_id, "success")
    assert (second["id"], second["status"]) == (open_id, "failed")
    assert second["message"] == playbook_runs.UNFINISHED_ACTION
    assert second["close_time"] is not None
    assert [app_run["status"] for app_run in second["app_runs"]] == ["failed"]
