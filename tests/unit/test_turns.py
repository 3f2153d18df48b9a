"""Who is next on a worker, when offers are lost and slots are few."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from prefect_phantom.adapters.worker.offered_runs import MOST_OFFERS, OVERTAKEN_SECONDS, Turns


def flow_run(second: float) -> FlowRun:
    """A flow run that was scheduled then."""
    time = datetime.fromtimestamp(1_000_000 + second, UTC)
    return FlowRun(id=uuid4(), flow_id=uuid4(), next_scheduled_start_time=time)


def offer(of: FlowRun) -> dict[str, str]:
    return {"id": str(of.id)}


@pytest.fixture
def turns() -> Turns:
    return Turns()


def taken(turns: Turns) -> list[UUID]:
    """All that offers alone would take, in their order."""
    ids = []
    while not turns.asks and (each := turns.next_offer()) is not None:
        ids.append(UUID(each["id"]))
    return ids


def test_offers_are_taken_in_their_order(turns):
    runs = [flow_run(n) for n in range(3)]
    for each in runs:
        turns.offered(offer(each))
    assert taken(turns) == [each.id for each in runs]
    assert turns.taken == {each.id for each in runs}


def test_what_is_taken_is_not_taken_again(turns):
    run = flow_run(0)
    turns.offered(offer(run))
    assert turns.found([run], 1) == [run]
    assert turns.next_offer() is None
    turns.offered(offer(run))
    assert turns.next_offer() is None
    assert turns.found([run], 1) == []


def test_a_poll_without_a_free_slot_comes_before_the_next_offer(turns):
    turns.offered(offer(flow_run(9)))
    assert not turns.asks
    turns.ask_first()
    assert turns.asks


def test_lost_offers_have_their_turn_before_later_ones_however_many_come(turns):
    lost = [flow_run(n / 10) for n in range(8)]
    later = [flow_run(60 + n) for n in range(50)]
    for each in later:
        turns.offered(offer(each))
    turns.ask_first()
    order = []
    while lost:
        assert turns.asks, "an offer would overtake those that wait"
        order += turns.found([*lost, *later], 1)
        lost = [each for each in lost if each not in order]
    assert [each.id for each in order] == [each.id for each in sorted(order, key=_time)]
    assert not turns.asks
    assert taken(turns) == [each.id for each in later]


def test_what_another_worker_was_offered_is_left_to_it(turns):
    ours, others = flow_run(1), flow_run(1 - OVERTAKEN_SECONDS / 2)
    turns.offered(offer(ours))
    turns.found([others, ours], 0)
    assert not turns.asks


def test_work_that_others_were_offered_is_asked_for_when_our_offers_are_done(turns):
    run = flow_run(0)
    turns.offered(offer(run))
    turns.ask_last()
    assert not turns.asks
    turns.next_offer()
    assert turns.asks
    turns.found([], 1)
    assert not turns.asks


def test_with_none_of_our_own_waiting_a_free_slot_asks_for_the_others(turns):
    turns.found([flow_run(0), flow_run(1)], 1)
    assert turns.asks


def test_no_more_offers_are_kept_than_anybody_needs(turns):
    for number in range(MOST_OFFERS + 5):
        turns.offered(offer(flow_run(number)))
    assert len(taken(turns)) == MOST_OFFERS


def _time(run: FlowRun) -> datetime:
    assert run.next_scheduled_start_time is not None
    return run.next_scheduled_start_time


def test_what_is_dropped_is_taken_only_when_prefect_names_it(turns):
    first, second = flow_run(0), flow_run(1)
    for each in (first, second):
        turns.offered(offer(each))
    turns.drop()
    assert turns.next_offer() is None
    assert turns.found([second], 1) == [second]
