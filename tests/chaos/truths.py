"""The promises, as pure functions of the evidence: each yields what broke it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from tests.chaos.evidence import Evidence, Row
from tests.chaos.journal import Life
from tests.chaos.kinds import KINDS

KILL_SECONDS = 2.0
"""How long after the grace a cancelled run's processes may live."""
MEASURE_SECONDS = 1.0
"""How late a caller on a loaded machine may notice it."""
LEASE_SECONDS, SWEEP_SECONDS, RESTART_SECONDS = 60.0, 5.0, 30.0
FINAL_TYPES = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
MATCHING = {"success": {"COMPLETED"}, "failed": {"FAILED", "CRASHED"}, "cancelled": {"CANCELLED"}}


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was not kept to one run."""

    promise: str
    fault: str
    run: int | None
    kind: str
    words: str

    def as_json(self) -> dict[str, object]:
        """For the report's file."""
        return asdict(self)


Found = Iterator[tuple[str, str]]
Truth = Callable[[Evidence, Life, Row], Found]


def breaches(evidence: Evidence) -> Iterator[Breach]:
    """Everything that was broken, run by run."""
    for life in evidence.journal.lives:
        for promise, words in _of_life(evidence, life):
            yield Breach(promise, life.fault, life.id, life.kind, words)
    known = {life.id for life in evidence.journal.lives}
    for run, row in evidence.rows.items():
        if run not in known and row["end_time"] is None:
            yield Breach("1 stuck", "-", run, "-", "a run without an ack that does not end")


def _of_life(evidence: Evidence, life: Life) -> Found:
    yield from life.breaches
    if life.refused:
        yield ("0 answered", f"no run was made: {life.refused[:200]}")
    runs = evidence.of_key.get(life.key, [])
    if len(set(runs) | set(life.ids)) > 1:
        yield ("2 doubled", f"one key made the runs {sorted(set(runs) | set(life.ids))}")
    if life.id is None:
        return
    row = evidence.rows.get(life.id)
    if row is None:
        yield ("1 lost", "acknowledged, and no row")
        return
    for truth in TRUTHS:
        yield from truth(evidence, life, row)


def ends(evidence: Evidence, life: Life, row: Row) -> Found:
    """Every acknowledged run ends, and its processes with it."""
    del life
    if row["end_time"] is None:
        yield (
            "1 stuck",
            f"not ended; dispatched {row['dispatch_time']}, claimed {row['claim_time']}",
        )
    elif not row["settled"]:
        yield ("2 Prefect differs", "never settled")
    for line in evidence.alive.get(row["id"], []):
        yield ("5 left alive", f"{line.what} ({line.process_id}) of a run that is {_end(row)}")


def one_flow_run(evidence: Evidence, life: Life, row: Row) -> Found:
    """At most one flow run; none only when it was cancelled while queued, or cannot be made."""
    del life
    found = evidence.flow_runs.get(row["id"], [])
    if len(found) > 1:
        yield ("2 doubled", f"{len(found)} flow runs")
    elif not found and not evidence.is_touched(row["id"]):
        queued = row["dispatch_time"] is None
        if not (queued and row["cancelled"]) and not row["playbook_error"]:
            yield ("2 Prefect differs", "no flow run")


def agrees(evidence: Evidence, life: Life, row: Row) -> Found:
    """Row and Prefect agree."""
    del life
    if row["end_time"] is None:
        return
    for flow_run in evidence.flow_runs.get(row["id"], []):
        state = flow_run["state_type"]
        expected = FINAL_TYPES if evidence.is_touched(row["id"]) else MATCHING[_end(row)]
        if state not in expected:
            yield ("2 Prefect differs", f"the run is {_end(row)}, Prefect says {state}")


def one_attempt(evidence: Evidence, life: Life, row: Row) -> Found:
    """Nothing is done by an attempt after the next one has begun; one attempt begins once."""
    del life
    lines = evidence.witness.get(row["id"], [])
    begun: dict[int, float] = {}
    for line in lines:
        if line.what == "begin":
            if line.attempt in begun:
                yield ("3 two attempts", f"attempt {line.attempt} began twice")
            begun[line.attempt] = line.time
    for line in lines:
        if any(line.attempt < attempt and line.time > time for attempt, time in begun.items()):
            yield ("3 two attempts", f"attempt {line.attempt} did {line.what!r} when it was stale")
    for action in evidence.action_runs.get(row["id"], []):
        if action["attempt"] < row["attempt"] and action["create_time"] > row["claim_time"]:
            yield ("3 two attempts", f"a stale attempt started {action['action']!r}")


def stays(evidence: Evidence, life: Life, row: Row) -> Found:
    """What was final once is final for ever."""
    del evidence
    final = None
    for answer in [*((each.status, each.cancelled) for each in life.seen), _shown(row)]:
        if final is not None and answer != final:
            yield ("4 changed", f"from {final} to {answer}")
        if answer[0] != "running":
            final = answer


def cancels(evidence: Evidence, life: Life, row: Row) -> Found:
    """An acknowledged cancel cancels, within its bound, and nothing begins after it."""
    if life.cancel_acked is None:
        if row["cancelled"] and life.cancel_asked is None and not evidence.is_touched(row["id"]):
            yield ("5 wrongly cancelled", f"nobody asked, and it says {row['cancelled']!r}")
        return
    if row["end_time"] is not None and not row["cancelled"]:
        yield ("5 not cancelled", f"acknowledged, and the run is {_end(row)}")
    if life.lively:
        yield ("5 false cancel", f"said to be cancelled, and alive: {life.lively}")
    quiet = evidence.journal.quiet_since(life.cancel_acked)
    deadline = quiet + evidence.grace + KILL_SECONDS + MEASURE_SECONDS
    lines = evidence.witness.get(row["id"], [])
    if lines and (life.gone is None or life.gone > deadline):
        late = "never" if life.gone is None else f"{life.gone - quiet:.1f} s after"
        yield ("5 late", f"processes gone {late} ack and faults")
    for action in evidence.action_runs.get(row["id"], []):
        if action["create_time"].timestamp() > (life.cancel_acked_clock or 0):
            yield ("5 acted after", f"{action['action']!r} started after the ack")
    for line in lines:
        if line.time > deadline:
            yield (
                "5 acted after",
                f"{line.what!r} {line.time - life.cancel_acked:.1f} s after ack",
            )


def fails_with_reason(evidence: Evidence, life: Life, row: Row) -> Found:
    """A run fails for a reason, which it names, and soon after what befell it."""
    kind = KINDS[life.kind]
    if row["status"] != "failed" or row["cancelled"] or kind.outcome != "success":
        return
    if not row["message"]:
        yield ("6 no reason", "failed without a message")
    end = row["end_time"].timestamp() - evidence.clock
    if not evidence.journal.disturbed(life.asked, end) and not evidence.is_touched(row["id"]):
        yield ("1 wrongly failed", f"with no fault at work: {row['message'][:200]}")
        return
    if row["claim_time"] is None:
        return
    past = [each.end for each in evidence.journal.disturbances if each.start <= end]
    limit = max((min(each, end) for each in past), default=end)
    if end - limit > LEASE_SECONDS + SWEEP_SECONDS + RESTART_SECONDS:
        yield ("6 late", f"failed {end - limit:.0f} s after the last fault: {row['message'][:100]}")


def ends_as_expected(evidence: Evidence, life: Life, row: Row) -> Found:
    """A run of a kind that must fail does not succeed."""
    del evidence
    if KINDS[life.kind].outcome == "failed" and row["status"] == "success":
        yield ("1 wrong end", "success, and the playbook cannot succeed")


def acts(evidence: Evidence, life: Life, row: Row) -> Found:
    """In a run that succeeded each action ran; none ran twice, since no author asked for that."""
    lines = evidence.witness.get(row["id"], [])
    count = Counter(line.what for line in lines)
    if row["status"] == "success":
        for what in ("begin", *KINDS[life.kind].actions):
            if not count[what]:
                yield ("7 not run", f"success, and {what!r} never ran")
    for what, times in count.items():
        if what not in {"begin", "child"} and times > 1:
            yield ("7 repeated", f"{what!r} ran {times} times")


def _end(row: Row) -> str:
    return "cancelled" if row["cancelled"] and row["status"] == "failed" else row["status"]


def _shown(row: Row) -> tuple[str, str]:
    return row["status"], row["cancelled"]


TRUTHS: tuple[Truth, ...] = (
    ends,
    one_flow_run,
    agrees,
    one_attempt,
    stays,
    cancels,
    fails_with_reason,
    ends_as_expected,
    acts,
)
PROMISES = (
    *("0 answered", "1 lost", "1 stuck", "1 wrongly failed", "1 wrong end", "1 row"),
    *("2 doubled", "2 same key", "2 Prefect differs", "3 two attempts", "4 changed"),
    *("5 cancel", "5 not cancelled", "5 wrongly cancelled", "5 false cancel", "5 late"),
    *("5 acted after", "5 left alive", "6 no reason", "6 late", "7 not run", "7 repeated"),
)
