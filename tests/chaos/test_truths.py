"""Each truth notices when it is broken: a run that went well, with one thing changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.chaos.evidence import Evidence
from tests.chaos.journal import Answer, Disturbance, Journal, Life
from tests.chaos.truths import breaches
from tests.chaos.witness import Line

RUN = 5
FLOW_RUN = UUID(int=9)
START = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLOCK = START.timestamp() - 100  # monotonic 100 is the start


def _line(what: str, time: float, attempt: int = 1) -> Line:
    return Line(RUN, attempt, what, time, 4711, 1)


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds - 100)


def _evidence(file: Path, kind: str) -> Evidence:
    """A run of two actions, asked for at 100, cancelled at 103 where its kind says so."""
    cancelled = kind == "cancel at any step"
    journal = Journal(file)
    life = Life("key", kind, "none", 100, ids=[RUN], acked=100.1)
    life.seen = [Answer(101, "running", ""), Answer(105, "success", "")]
    row = {
        "id": RUN, "status": "success", "cancelled": "", "message": "", "settled": True,
        "inputs": json.dumps({"key": "key"}), "attempt": 1, "playbook_error": "",
        "flow_run_id": FLOW_RUN, "dispatch_time": _at(100.2), "claim_time": _at(101),
        "end_time": _at(104), "cancel_time": None,
    }  # fmt: skip
    if cancelled:
        life.cancel_asked, life.cancel_acked, life.gone = 102.9, 103, 104
        life.cancel_acked_clock = CLOCK + 103
        life.seen[1] = Answer(105, "failed", "Cancelled by admin")
        row |= {"status": "failed", "cancelled": "Cancelled by admin", "cancel_time": _at(102.9)}
    journal.lives.append(life)
    state = "CANCELLED" if cancelled else "COMPLETED"
    return Evidence(
        journal,
        grace=5,
        clock=CLOCK,
        rows={RUN: row},
        flow_runs={RUN: [{"state_type": state}]},
        action_runs={RUN: [{"attempt": 1, "action": "mark", "create_time": _at(102)}]},
        witness={RUN: [_line("begin", 101), _line("first", 102), _line("second", 102.5)]},
        of_key={"key": [RUN]},
    )


def _promises(evidence: Evidence) -> set[str]:
    return {breach.promise for breach in breaches(evidence)}


@pytest.mark.parametrize("kind", ["two actions", "cancel at any step"])
def test_nothing_is_broken_when_all_went_well(tmp_path: Path, kind: str) -> None:
    evidence = _evidence(tmp_path / "journal", kind)
    evidence.journal.close()
    assert _promises(evidence) == set()


def _fail(evidence: Evidence, **values: object) -> None:
    evidence.rows[RUN] |= {"status": "failed", **values}
    evidence.journal.lives[0].seen.pop()
    evidence.flow_runs[RUN] = [{"state_type": "FAILED"}]


def _fail_late(evidence: Evidence) -> None:
    _fail(evidence, message="The run's process died", end_time=_at(400))
    evidence.journal.disturbances.append(Disturbance("kill worker", 101, CLOCK + 101, 110))


BROKEN: dict[str, list[Callable[[Evidence], object]]] = {
    "0 answered": [lambda e: setattr(e.journal.lives[0], "refused", "no answer")],
    "1 lost": [lambda e: e.rows.clear()],
    "1 stuck": [
        lambda e: e.rows[RUN].update(end_time=None),
        lambda e: e.rows.update({6: e.rows[RUN] | {"id": 6, "end_time": None}}),
    ],
    "1 wrongly failed": [lambda e: _fail(e, message="oh")],
    "2 doubled": [
        lambda e: e.of_key["key"].append(6),
        lambda e: e.journal.lives[0].ids.append(6),
        lambda e: e.flow_runs[RUN].append({"state_type": "COMPLETED"}),
    ],
    "2 Prefect differs": [
        lambda e: e.flow_runs.clear(),
        lambda e: e.rows[RUN].update(settled=False),
        lambda e: e.flow_runs[RUN][0].update(state_type="RUNNING"),
    ],
    "3 two attempts": [
        lambda e: e.witness[RUN].append(_line("begin", 103)),
        lambda e: e.witness[RUN].extend([_line("begin", 102.1, 2), _line("third", 103)]),
        lambda e: e.rows[RUN].update(attempt=2, claim_time=_at(101.5)),
    ],
    "4 changed": [
        lambda e: e.journal.lives[0].seen.append(Answer(106, "running", "")),
        lambda e: e.journal.lives[0].seen.insert(1, Answer(102, "failed", "")),
        lambda e: e.rows[RUN].update(status="failed", message="oh"),
    ],
    "5 wrongly cancelled": [lambda e: _fail(e, cancelled="Cancelled by admin")],
    "5 left alive": [lambda e: e.alive.update({RUN: [_line("child", 102)]})],
    "6 no reason": [_fail],
    "6 late": [_fail_late],
    "7 not run": [lambda e: e.witness[RUN].pop()],
    "7 repeated": [lambda e: e.witness[RUN].append(_line("second", 103))],
}
BROKEN_CANCEL: dict[str, list[Callable[[Evidence], object]]] = {
    "5 not cancelled": [lambda e: e.rows[RUN].update(cancelled="")],
    "5 false cancel": [lambda e: setattr(e.journal.lives[0], "lively", "first (4711)")],
    "5 late": [
        lambda e: setattr(e.journal.lives[0], "gone", 112),
        lambda e: setattr(e.journal.lives[0], "gone", None),
    ],
    "5 acted after": [
        lambda e: e.action_runs[RUN].append({"attempt": 1, "action": "b", "create_time": _at(104)}),
        lambda e: e.witness[RUN].append(_line("third", 112)),
    ],
}
CASES = [
    pytest.param(kind, promise, change, id=f"{promise} {number}")
    for kind, table in (("two actions", BROKEN), ("cancel at any step", BROKEN_CANCEL))
    for promise, changes in table.items()
    for number, change in enumerate(changes)
]


@pytest.mark.parametrize(("kind", "promise", "change"), CASES)
def test_what_is_broken_is_noticed(
    tmp_path: Path, kind: str, promise: str, change: Callable[[Evidence], object]
) -> None:
    evidence = _evidence(tmp_path / "journal", kind)
    change(evidence)
    evidence.journal.close()
    assert promise in _promises(evidence)


def test_a_cancel_has_until_after_the_last_fault(tmp_path: Path) -> None:
    evidence = _evidence(tmp_path / "journal", "cancel at any step")
    evidence.journal.disturbances.append(Disturbance("kill worker", 102, CLOCK + 102, 120))
    evidence.journal.lives[0].gone = 121
    evidence.journal.close()
    assert _promises(evidence) == set()
