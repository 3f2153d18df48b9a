"""Slots that runs hold are known, so that those of a dead run are given back."""

from __future__ import annotations

from uuid import uuid4

import pytest

from prefect_phantom.adapters.errors import Superseded
from prefect_phantom.adapters.store.runs import attempts, held_slots, leases
from prefect_phantom.adapters.store.runs.held_slots import Abandoned
from tests.integration.shop import Shop


async def of(shop: Shop, run_id: int) -> list[Abandoned]:
    """What the run has left, which is then known no more."""
    found = await held_slots.take_abandoned(shop.database)
    return [each for each in found if each.playbook_run_id == run_id]


async def test_what_a_live_run_holds_is_its_own_and_what_it_held_last_is_left(shop: Shop) -> None:
    claim = await shop.claim()
    first, second = uuid4(), uuid4()
    await held_slots.note(shop.database, claim.token, [first])
    await held_slots.note(shop.database, claim.token, [second])
    assert await of(shop, claim.playbook_run_id) == []
    await attempts.end(shop.database, claim.token, "success", "")
    [left] = await of(shop, claim.playbook_run_id)
    assert left == Abandoned(claim.playbook_run_id, [second])
    assert await of(shop, claim.playbook_run_id) == []


@pytest.mark.parametrize("seen_between", [True, False])
async def test_what_an_attempt_held_is_left_when_another_begins(
    shop: Shop, seen_between: bool
) -> None:
    request = await shop.hand_over()
    claim = await shop.claim(request)
    lease = uuid4()
    await held_slots.note(shop.database, claim.token, [lease])
    if seen_between:
        await shop.change(claim.playbook_run_id, claim_id=None)
        [left] = await of(shop, claim.playbook_run_id)
        assert left.leases == [lease]
        await held_slots.note(shop.database, claim.token, [lease])
    await shop.change(claim.playbook_run_id, claim_id=None)
    again = await shop.claim(request)
    assert again.attempt == 2
    await held_slots.note(shop.database, again.token, [uuid4()])
    [left] = await of(shop, claim.playbook_run_id)
    assert left.leases == [lease]


async def test_an_attempt_that_is_over_holds_nothing_new(shop: Shop) -> None:
    claim = await shop.claim()
    await leases.end_held_by(shop.database, "w1", "m", reason="gone", final=True)
    with pytest.raises(Superseded):
        await held_slots.note(shop.database, claim.token, [uuid4()])
    assert await of(shop, claim.playbook_run_id) == []
