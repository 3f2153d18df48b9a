"""`Copy to new run` of a run that came over REST: what its claim asks for, on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound
from sqlalchemy import update

from prefect_phantom.adapters.errors import NotReady, OtherFlowRun, Superseded
from prefect_phantom.adapters.prefect.runs.copies import is_copy
from prefect_phantom.adapters.store.playbooks.found_playbooks import FoundPlaybook, save_found
from prefect_phantom.adapters.store.runs import attempts
from prefect_phantom.adapters.store.tables.tables import playbooks as stored


@pytest.fixture
async def deployment(shop):
    """Deployments of two playbooks, by name."""
    database = shop.database
    other = FoundPlaybook("local", "other", folder="/p", entrypoint="other.py:other")
    await save_found(database, [other])
    ids = {"hunt": uuid4(), "other": uuid4()}
    async with database.begin() as connection:
        for name, deployment_id in ids.items():
            await connection.execute(
                update(stored).where(stored.c.name == name).values(deployment_id=deployment_id)
            )
    return ids


@pytest.fixture
def copy_of(deployment):
    """What the process of a copied flow run asks for, when Prefect has said that it is one."""

    def copy_of(first, **fields):
        of = {"deployment_id": deployment["hunt"], "flow_run_id": uuid4(), "claim_id": uuid4()}
        return replace(first, **{**of, "copied": True, **fields})

    return copy_of


async def test_a_copy_is_a_run_of_its_own_with_scope_and_inputs_of_the_first(shop, copy_of):
    artifact = await shop.add_artifact()
    await shop.add_artifact()
    first = await shop.hand_over(scope=[artifact], inputs={"limit": 2})
    claim = await shop.claim(copy_of(first))
    assert claim.playbook_run_id > first.playbook_run_id
    assert (claim.container["id"], claim.inputs) == (shop.container_id, {"limit": 2})
    assert [each["id"] for each in claim.artifacts] == [artifact]
    assert (await shop.read(first.playbook_run_id)).claim_id is None
    await attempts.end(shop.database, claim.token, "success", "")
    assert (await shop.claim(first)).playbook_run_id == first.playbook_run_id


async def test_what_is_filled_in_for_a_copy_counts(shop, copy_of):
    artifact = await shop.add_artifact()
    first = await shop.hand_over(scope=[artifact], inputs={"limit": 2})
    new = await shop.add_artifact()
    claim = await shop.claim(copy_of(first, scope=[new], inputs={"also": 3}))
    assert claim.inputs == {"limit": 2, "also": 3}
    assert [each["id"] for each in claim.artifacts] == [new]


async def test_a_copy_that_claims_again_has_the_run_that_it_had(shop, copy_of):
    first = await shop.hand_over()
    copy = copy_of(first)
    made = await shop.claim(copy)
    again = await shop.claim(replace(copy, copied=False))
    assert again.playbook_run_id == made.playbook_run_id
    with pytest.raises(Superseded, match="held by another process"):
        await shop.claim(replace(copy, claim_id=uuid4(), copied=False))


async def test_a_copy_whose_run_was_removed_does_not_run_again(shop, copy_of):
    first = await shop.hand_over()
    with pytest.raises(Superseded, match="Playbook run 999999 has been removed"):
        await shop.claim(copy_of(first, former_id=999999))


@pytest.mark.attack(
    "a process asks for the run of another flow run, or of another playbook",
    "it is refused, and given nothing of that run",
)
async def test_nobody_is_given_the_inputs_of_another_run(shop, copy_of, deployment):
    first = await shop.hand_over(inputs={"token": "x"})
    with pytest.raises(OtherFlowRun) as refused:
        await shop.claim(copy_of(first, copied=False))
    assert refused.value.dispatch_key == (await shop.read(first.playbook_run_id)).dispatch_key
    with pytest.raises(OtherFlowRun, match="belongs to another flow run"):
        await shop.claim(copy_of(first, deployment_id=deployment["other"]))


def prefect_says(**fields):
    async def read_flow_run(_flow_run_id):
        if "error" in fields:
            raise fields["error"]
        return SimpleNamespace(**fields)

    return SimpleNamespace(read_flow_run=read_flow_run)


@pytest.mark.parametrize(
    ("key", "named", "copied"),
    [("own", True, False), ("other", True, True), (None, True, True), (None, False, False)],
)
async def test_prefect_says_what_a_copy_is_and_one_with_our_key_is_none(shop, key, named, copied):
    request = await shop.hand_over()
    dispatch_key = uuid4()
    keys = {"own": str(dispatch_key), "other": str(uuid4()), None: None}
    parameters = {"playbook_run_id": request.playbook_run_id} if named else {}
    client = prefect_says(idempotency_key=keys[key], parameters=parameters)
    assert await is_copy(client, request, dispatch_key) is copied


async def test_without_an_answer_of_prefect_a_copy_has_to_ask_again(shop):
    request = await shop.hand_over()
    with pytest.raises(NotReady):
        await is_copy(prefect_says(error=httpx.ConnectError("gone")), request, uuid4())
    assert not await is_copy(prefect_says(error=ObjectNotFound(OSError())), request, uuid4())
