"""Why a run has not started yet, in one sentence: its status never says pending (our decision)."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_phantom.adapters.rest.contract.times import timestamp
from prefect_phantom.adapters.store.starts.dispatch_status import MOST_AHEAD, Waiting


def waiting_reason(waiting: Waiting) -> str:
    """The reason that lies deepest comes first: without Prefect or workers no place matters."""
    work_pool = waiting.work_pool
    if waiting.unreachable_time is not None:
        return f"Prefect has not answered since {timestamp(waiting.unreachable_time)}"
    if waiting.rule:
        return waiting.rule
    if waiting.workers == 0:
        return f'No worker of work pool "{work_pool}" is online'
    if waiting.lacking and not waiting.having:
        return f"No worker has the newest code of its playbook: not {_names(waiting.lacking)}"
    parts = []
    if waiting.lacking:
        parts.append(f"Only {_names(waiting.having)} has the newest code of its playbook")
    if waiting.slots is not None and waiting.busy >= waiting.slots:
        parts.append(
            f'The one slot of work pool "{work_pool}" is busy'
            if waiting.slots == 1
            else f'All {waiting.slots} slots of work pool "{work_pool}" are busy'
        )
    if waiting.ahead:
        parts.append(_ahead(waiting.ahead))
    if not parts:
        parts.append(
            "It is being handed to Prefect" if waiting.queued else "A worker is to take it next"
        )
    return "; ".join(parts)


def _names(workers: Sequence[str]) -> str:
    return f"worker {' and '.join(workers)}"


def _ahead(count: int) -> str:
    if count == 1:
        return "1 run is ahead of it"
    least = "at least " if count >= MOST_AHEAD else ""
    return f"{least}{count} runs are ahead of it"
