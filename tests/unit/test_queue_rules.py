"""What Prefect's rules say of work queues: the whole table, as a pure function."""

from __future__ import annotations

from uuid import UUID

import pytest

from prefect_phantom.adapters.prefect.queues.queue_rules import QueueInPool, Rules, judge_pool
from prefect_phantom.adapters.store.starts.work_queues import WorkQueue

PAUSED, FREE = Rules(paused=True), Rules()
POOL = 'Work pool "phantom"'
QUEUE = 'Work queue "q" of work pool "phantom"'


def judged(pool: Rules, queue: Rules) -> WorkQueue:
    (only,) = judge_pool("phantom", pool, [QueueInPool(UUID(int=1), "q", queue)])
    return only


@pytest.mark.parametrize(
    ("pool", "queue", "room", "paused", "rule"),
    [
        (PAUSED, FREE, 0, True, f"{POOL} is paused"),
        (FREE, PAUSED, 0, True, f"{QUEUE} is paused"),
        (PAUSED, PAUSED, 0, True, f"{POOL} is paused"),
        (Rules(limit=0), FREE, 0, True, f"{POOL} has reached its concurrency limit of 0"),
        (FREE, Rules(limit=0), 0, True, f"{QUEUE} has reached its concurrency limit of 0"),
        (Rules(limit=1, busy=1), FREE, 0, False, f"{POOL} has reached its concurrency limit of 1"),
        (FREE, Rules(limit=2, busy=3), 0, False, f"{QUEUE} has reached its concurrency limit of 2"),
        (Rules(limit=1), FREE, 1, False, ""),
        (Rules(limit=5, busy=2), Rules(limit=2, busy=1), 1, False, ""),
        (Rules(limit=5, busy=4), Rules(limit=3), 1, False, ""),
        (Rules(limit=5, busy=2), Rules(limit=1, busy=1), 0, False, f"{QUEUE} has reached its"),
        (PAUSED, Rules(limit=3), 0, True, f"{POOL} is paused"),
    ],
)
def test_a_pause_or_a_limit_has_prefect_asked_and_says_what_may_start(
    pool, queue, room, paused, rule
):
    only = judged(pool, queue)
    assert (only.asks, only.room, only.paused) == (True, room, paused)
    assert only.rule.startswith(rule) if rule else only.rule == ""


def test_without_any_rule_nobody_has_to_ask():
    assert judged(FREE, FREE) == WorkQueue(UUID(int=1), "phantom", "q")


def test_of_several_queues_prefect_knows_the_order_and_is_asked():
    queues = [QueueInPool(UUID(int=1), "q"), QueueInPool(UUID(int=2), "urgent", PAUSED)]
    low, urgent = judge_pool("phantom", FREE, queues)
    assert (low.asks, low.room, low.rule) == (True, None, "")
    assert (urgent.asks, urgent.room, urgent.paused) == (True, 0, True)
