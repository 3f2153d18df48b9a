"""What Prefect's own rules say of a work queue: pauses, limits, and the order of queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from prefect_phantom.adapters.store.starts.work_queues import WorkQueue


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a work pool, or of one of its queues, and how many runs are at work in it."""

    paused: bool = False
    limit: int | None = None
    busy: int = 0

    @property
    def room(self) -> int | None:
        """How many more runs may start; None for any number."""
        if self.paused:
            return 0
        return None if self.limit is None else max(0, self.limit - self.busy)

    @property
    def stops(self) -> bool:
        """Whether nothing may start because somebody wants it so, whoever is at work."""
        return self.paused or self.limit == 0

    def reason(self, what: str) -> str:
        """Why nothing may start of `what`; empty when something may."""
        if self.paused:
            return f"{what} is paused"
        if self.room == 0:
            return f"{what} has reached its concurrency limit of {self.limit}"
        return ""


@dataclass(frozen=True, slots=True)
class QueueInPool:
    """A work queue as Prefect has it, with its own rules."""

    id: UUID
    name: str
    rules: Rules = Rules()


def judge_pool(name: str, pool: Rules, queues: Sequence[QueueInPool]) -> list[WorkQueue]:
    """What may start of each queue of a work pool.

    A pool with several queues has an order among them, which only Prefect applies, as it does a
    limit. Where there is neither, a run is offered to a worker that need not ask.
    """
    ordered = len(queues) > 1
    return [_judge(name, pool, queue, ordered=ordered) for queue in queues]


def _judge(pool_name: str, pool: Rules, queue: QueueInPool, *, ordered: bool) -> WorkQueue:
    rooms = [room for room in (pool.room, queue.rules.room) if room is not None]
    shown = f'Work queue "{queue.name}" of work pool "{pool_name}"'
    return WorkQueue(
        id=queue.id,
        work_pool=pool_name,
        name=queue.name,
        rule=pool.reason(f'Work pool "{pool_name}"') or queue.rules.reason(shown),
        room=min(rooms, default=None),
        asks=ordered or bool(rooms),
        paused=pool.stops or queue.rules.stops,
    )
