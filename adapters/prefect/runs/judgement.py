"""What follows from a run's row and its flow run's state: the one table, as a pure function.

The row is the truth and Prefect's state is one witness. Where they differ after the row has ended,
Prefect is brought to the row's end; before that, Prefect's end ends the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelled, Cancelling, Completed, Failed, Scheduled

from prefect_phantom.adapters.store.runs.unsettled_runs import CANCELLED_IN_PREFECT, UnsettledRun
from prefect_phantom.flows.inside.display.visible_text import visible

OWN_REPORT_SECONDS = 10.0
"""How long a process that has reported its end is given to tell Prefect so itself."""
DELETED = "Deleted in Prefect"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Both agree, or one of them is about to change by itself."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The row has ended and Prefect too."""


@dataclass(frozen=True, slots=True)
class SetState:
    """Bring the flow run to `state`; `force` overrules Prefect's own rules."""

    state: State[None]
    force: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """End the row. `settled` says that Prefect has nothing left to be told."""

    status: Literal["success", "failed"]
    message: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class EndCancelled:
    """End the row as cancelled, with `text` unless a caller's cancel has given one."""

    text: str
    settled: bool


@dataclass(frozen=True, slots=True)
class NoteCancelling:
    """Somebody cancels in Prefect: refuse the attempt everything from now on."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The run's worker was gone, and the playbook says that it may be started again.

    `force` overrules the end that Prefect took that for.
    """

    force: bool


@dataclass(frozen=True, slots=True)
class Release:
    """The flow run is suspended: its process has exited and it will be claimed anew."""


Verdict = Nothing | Settle | SetState | End | EndCancelled | NoteCancelling | Restart | Release


def judge(
    run: UnsettledRun, state: State | None, *, now: datetime, pending_seconds: float
) -> Verdict:
    """Decide about `run`, whose flow run is in `state`; None means that Prefect has deleted it."""
    if run.ended_age is not None:
        return _ended(run, state, run.ended_age)
    if run.cancelling:
        return _cancelling(run, state)
    if state is None:
        return End("failed", DELETED)
    if run.restarting:
        if state.is_cancelling() or state.is_cancelled():
            return EndCancelled(CANCELLED_IN_PREFECT, settled=state.is_cancelled())
        # Of what has not ended there, Prefect refuses it when somebody cancels it in this moment.
        return Restart(force=state.is_final())
    return _open(run, state, now, pending_seconds)


def _ended(run: UnsettledRun, state: State | None, age: float) -> Verdict:
    if state is None or _agrees(run, state):
        return Settle()
    if not state.is_final() and run.claimed and not run.cancelling and age < OWN_REPORT_SECONDS:
        return Nothing()
    return SetState(_matching(run), force=True)


def _agrees(run: UnsettledRun, state: State) -> bool:
    if run.cancelling:
        return state.is_cancelled()
    if run.status == "success":
        return state.is_completed()
    return state.is_failed() or state.is_crashed()


def _matching(run: UnsettledRun) -> State[None]:
    if run.cancelling:
        return Cancelled(message=visible(run.cancelled))
    if run.status == "success":
        return Completed()
    return Failed(message=visible(run.message))


def _cancelling(run: UnsettledRun, state: State | None) -> Verdict:
    if state is None or state.is_final():
        # Killing a run's process may look like a crash to Prefect; it is told better afterwards.
        return EndCancelled(run.cancelled, settled=state is None or state.is_cancelled())
    if not run.claimed:
        # No process holds it, and a claim would be refused: it is over, whatever Prefect starts.
        return EndCancelled(run.cancelled, settled=False)
    if state.is_cancelling():
        return Nothing()
    return SetState(Cancelling(message=visible(run.cancelled)))


def _open(run: UnsettledRun, state: State, now: datetime, pending_seconds: float) -> Verdict:
    age = (now - state.timestamp).total_seconds()
    match state.type:
        case StateType.COMPLETED:
            return End("success", "")
        case StateType.FAILED:
            return End("failed", state.message or state.name or "Failed in Prefect")
        case StateType.CRASHED:
            known = state.message or "nothing more is known"
            return End("failed", f"The run's process died: {known}")
        case StateType.CANCELLED:
            return EndCancelled(CANCELLED_IN_PREFECT, settled=True)
        case StateType.CANCELLING:
            return NoteCancelling()
        case StateType.PENDING | StateType.RUNNING if not run.claimed and age > pending_seconds:
            # Taken by a worker that died before the claim. Offering it again is safe: whoever
            # claims first has the run, and anyone else is turned away.
            return SetState(Scheduled())
        case StateType.PAUSED if state.name == "Suspended" and run.claimed:
            return Release()
        case _:
            return Nothing()
