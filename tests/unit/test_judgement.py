"""The table "Prefect state to run", and cancel under way in each state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.states import (
    AwaitingConcurrencySlot,
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    InfrastructurePending,
    Late,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Submitting,
    Suspended,
)

from prefect_phantom.adapters.prefect.runs.judgement import (
    DELETED,
    OWN_REPORT_SECONDS,
    End,
    EndCancelled,
    NoteCancelling,
    Nothing,
    Release,
    Restart,
    SetState,
    Settle,
    Verdict,
    judge,
)
from prefect_phantom.adapters.store.runs.unsettled_runs import CANCELLED_IN_PREFECT, UnsettledRun

NOW = datetime(2026, 1, 15, 22, 15, 53, tzinfo=UTC)
PENDING_SECONDS = 60.0
BY_OPERATOR = "Cancelled by operator: false positive"


def timed_out() -> State[None]:
    return Failed(name="TimedOut", message="Flow run exceeded timeout of 5.0 second(s)")


NOT_STARTED = [Scheduled, Late, AwaitingConcurrencySlot, Pending, Submitting, InfrastructurePending]
UNDER_WAY = [Running, Retrying, AwaitingRetry, Paused, Suspended, Cancelling]
FINAL = [Completed, Failed, timed_out, Crashed, Cancelled]


def named(make) -> str:
    return make.__name__


def verdict_on(state: State | None, *, age: float = 1.0, **columns) -> Verdict:
    """Judge a run that a process holds, unless `columns` say otherwise."""
    run = {
        "id": 46,
        "flow_run_id": UUID(int=46),
        "status": "running",
        "message": "",
        "cancelled": "",
        "cancelling": False,
        "claimed": True,
        "restarting": False,
        "ended_age": None,
    }
    if state is not None:
        state.timestamp = NOW - timedelta(seconds=age)
    run_seen = UnsettledRun(**(run | columns))
    return judge(run_seen, state, now=NOW, pending_seconds=PENDING_SECONDS)


@pytest.mark.parametrize("make", NOT_STARTED, ids=named)
def test_a_run_that_prefect_has_not_started_keeps_running(make):
    assert verdict_on(make(), claimed=False) == Nothing()


@pytest.mark.parametrize("make", [Running, Retrying, AwaitingRetry, Paused], ids=named)
@pytest.mark.parametrize("age", [1.0, PENDING_SECONDS * 1000])
def test_a_run_under_way_keeps_running_however_long_it_takes(make, age):
    assert verdict_on(make(), age=age) == Nothing()


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (Completed(), End("success", "")),
        (Completed(message="All states completed."), End("success", "")),
        (Failed(message="boom"), End("failed", "boom")),
        (Failed(), End("failed", "Failed")),
        (timed_out(), End("failed", "Flow run exceeded timeout of 5.0 second(s)")),
        (Failed(name="TimedOut"), End("failed", "TimedOut")),
        (
            Crashed(message="exit code -9"),
            End("failed", "The run's process died: exit code -9"),
        ),
        (Crashed(), End("failed", "The run's process died: nothing more is known")),
        (Cancelled(), EndCancelled(CANCELLED_IN_PREFECT, settled=True)),
        (Cancelled(message="by hand"), EndCancelled(CANCELLED_IN_PREFECT, settled=True)),
        (Cancelling(), NoteCancelling()),
        (None, End("failed", DELETED)),
    ],
    ids=lambda value: value.name if isinstance(value, State) else None,
)
@pytest.mark.parametrize("claimed", [True, False])
def test_what_prefect_says_of_an_open_run_ends_it(state, verdict, claimed):
    assert verdict_on(state, claimed=claimed) == verdict


def test_deleted_in_prefect_is_the_reason_of_a_run_deleted_before_its_end():
    assert DELETED == "Deleted in Prefect"


def test_a_suspended_run_that_was_claimed_gives_its_claim_back():
    assert verdict_on(Suspended()) == Release()


def test_a_suspended_run_without_a_claim_stays_as_it_is():
    assert verdict_on(Suspended(), claimed=False) == Nothing()


@pytest.mark.parametrize("make", [Pending, Submitting, Running, Retrying], ids=named)
def test_a_run_that_a_worker_took_and_never_claimed_is_offered_again(make):
    verdict = verdict_on(make(), claimed=False, age=PENDING_SECONDS + 1)
    assert isinstance(verdict, SetState)
    assert verdict.state.type is StateType.SCHEDULED
    assert not verdict.force


@pytest.mark.parametrize("make", [Pending, Running], ids=named)
def test_a_run_is_given_its_time_to_claim(make):
    assert verdict_on(make(), claimed=False, age=PENDING_SECONDS - 1) == Nothing()


@pytest.mark.parametrize("make", [Scheduled, Late, AwaitingConcurrencySlot, Paused], ids=named)
def test_a_run_that_waits_in_prefect_may_wait_long(make):
    assert verdict_on(make(), claimed=False, age=PENDING_SECONDS * 1000) == Nothing()


CANCEL = {"cancelling": True, "cancelled": BY_OPERATOR}


@pytest.mark.parametrize("make", [*NOT_STARTED, *UNDER_WAY], ids=named)
def test_a_cancelled_run_that_no_process_holds_ends_at_once(make):
    """A claim would be refused from now on, so nothing of it can run any more."""
    verdict = verdict_on(make(), claimed=False, **CANCEL)
    assert verdict == EndCancelled(BY_OPERATOR, settled=False)


@pytest.mark.parametrize("make", [*NOT_STARTED, *UNDER_WAY[:-1]], ids=named)
def test_a_cancelled_run_that_a_process_holds_is_set_to_cancelling(make):
    verdict = verdict_on(make(), **CANCEL)
    assert isinstance(verdict, SetState)
    assert verdict.state.type is StateType.CANCELLING
    assert verdict.state.message == BY_OPERATOR
    assert not verdict.force


@pytest.mark.parametrize("age", [1.0, PENDING_SECONDS * 1000])
def test_a_cancelled_run_is_not_final_before_its_process_is_gone(age):
    assert verdict_on(Cancelling(), age=age, **CANCEL) == Nothing()


@pytest.mark.parametrize("make", [*FINAL, lambda: None], ids=[*map(named, FINAL), "deleted"])
@pytest.mark.parametrize("claimed", [True, False])
def test_a_cancelled_run_ends_cancelled_whatever_end_prefect_gives_it(make, claimed):
    state = make()
    verdict = verdict_on(state, claimed=claimed, **CANCEL)
    # A kill may look like a crash to Prefect, which is told better afterwards.
    agrees = state is None or state.is_cancelled()
    assert verdict == EndCancelled(BY_OPERATOR, settled=agrees)


ENDED = [
    {"status": "success"},
    {"status": "failed", "message": "boom"},
    {"status": "failed", **CANCEL},
]


SHOWN_AS = [[Completed], [Failed, timed_out, Crashed], [Cancelled]]
"""The ends in Prefect that say what the row says."""


@pytest.mark.parametrize(
    ("columns", "make"),
    [
        (columns, make)
        for columns, ends in zip(ENDED, SHOWN_AS, strict=True)
        for make in [*ends, lambda: None]
    ],
)
@pytest.mark.parametrize("claimed", [True, False])
def test_an_ended_run_is_settled_when_prefect_shows_its_end_or_has_deleted_it(
    make, columns, claimed
):
    assert verdict_on(make(), ended_age=0.0, claimed=claimed, **columns) == Settle()


@pytest.mark.parametrize(
    ("columns", "kind", "message"),
    [
        (ENDED[0], StateType.COMPLETED, None),
        (ENDED[1], StateType.FAILED, "boom"),
        (ENDED[2], StateType.CANCELLED, BY_OPERATOR),
    ],
    ids=["success", "failed", "cancelled"],
)
@pytest.mark.parametrize("make", [*NOT_STARTED, *UNDER_WAY], ids=named)
def test_the_row_wins_when_it_has_ended_and_prefect_has_not(make, columns, kind, message):
    verdict = verdict_on(make(), ended_age=OWN_REPORT_SECONDS + 1, **columns)
    assert isinstance(verdict, SetState)
    assert (verdict.state.type, verdict.state.message) == (kind, message)
    assert verdict.force


@pytest.mark.parametrize(
    ("columns", "kind", "message"),
    [
        (ENDED[0], StateType.COMPLETED, None),
        (ENDED[1], StateType.FAILED, "boom"),
        (ENDED[2], StateType.CANCELLED, BY_OPERATOR),
    ],
    ids=["success", "failed", "cancelled"],
)
@pytest.mark.parametrize("make", FINAL, ids=named)
@pytest.mark.parametrize("claimed", [True, False])
def test_the_row_wins_when_prefect_has_ended_the_run_in_another_way(
    make, columns, kind, message, claimed
):
    ends = SHOWN_AS[ENDED.index(columns)]
    verdict = verdict_on(make(), ended_age=0.0, claimed=claimed, **columns)
    if make in ends:
        assert verdict == Settle()
    else:
        assert isinstance(verdict, SetState)
        assert (verdict.state.type, verdict.state.message) == (kind, message)
        assert verdict.force


@pytest.mark.parametrize("columns", ENDED[:2], ids=["success", "failed"])
def test_a_process_that_reported_its_end_is_given_time_to_tell_prefect_itself(columns):
    assert verdict_on(Running(), ended_age=OWN_REPORT_SECONDS - 1, **columns) == Nothing()


@pytest.mark.parametrize("claimed", [True, False])
def test_a_cancelled_end_is_told_to_prefect_at_once(claimed):
    verdict = verdict_on(Running(), ended_age=0.0, claimed=claimed, **ENDED[2])
    assert isinstance(verdict, SetState)


@pytest.mark.parametrize("make", NOT_STARTED, ids=named)
def test_the_end_of_a_run_that_no_process_held_is_told_to_prefect_at_once(make):
    assert isinstance(verdict_on(make(), ended_age=0.0, claimed=False, **ENDED[1]), SetState)


@pytest.mark.parametrize("make", [Running, Crashed, Failed, Scheduled, Pending], ids=named)
def test_a_run_to_be_started_again_is_whatever_prefect_says_of_its_last_attempt(make):
    state = make()
    assert verdict_on(state, claimed=False, restarting=True) == Restart(force=state.is_final())


@pytest.mark.parametrize("make", [Cancelling, Cancelled], ids=named)
def test_a_run_to_be_started_again_that_is_cancelled_in_prefect_meanwhile_ends(make):
    state = make()
    verdict = verdict_on(state, claimed=False, restarting=True)
    assert verdict == EndCancelled("Cancelled in Prefect", settled=state.is_cancelled())


def test_a_run_to_be_started_again_that_is_cancelled_meanwhile_ends():
    verdict = verdict_on(Running(), claimed=False, restarting=True, cancelling=True)
    assert isinstance(verdict, EndCancelled)
