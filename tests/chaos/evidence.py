"""Everything known once all is over: callers' journal, both databases, witnesses, the kernel."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.installation import Installation
from tests.chaos.journal import Journal
from tests.chaos.witness import Line

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RUNS = """
    SELECT r.*, p.error AS playbook_error
    FROM playbook_runs r JOIN playbooks p ON p.id = playbook_id
"""
FLOW_RUNS = """
    SELECT id::text, idempotency_key, state_type::text, state_name,
           parameters ->> 'playbook_run_id' AS playbook_run_id
    FROM flow_run
"""
ACTION_RUNS = "SELECT playbook_run_id, attempt, action, create_time FROM action_runs"
Row = dict[str, Any]


@dataclass(slots=True)
class Evidence:
    """The rows by id of the run, and what the runs and their callers say."""

    journal: Journal
    grace: float
    clock: float
    """What is to be added to monotonic seconds for the clock that the database has."""
    rows: dict[int, Row] = field(default_factory=dict)
    flow_runs: dict[int, list[Row]] = field(default_factory=dict)
    action_runs: dict[int, list[Row]] = field(default_factory=dict)
    witness: dict[int, list[Line]] = field(default_factory=dict)
    alive: dict[int, list[Line]] = field(default_factory=dict)
    of_key: dict[str, list[int]] = field(default_factory=dict)
    """Ids of the runs that each caller's key has made."""
    touched: set[str] = field(default_factory=set)
    """Flow runs on which somebody pressed a button in the Prefect UI."""

    def is_touched(self, run: int) -> bool:
        """Whether somebody pressed a button in the Prefect UI on this run."""
        return str(self.rows[run]["flow_run_id"]) in self.touched


async def collect(system: Installation, journal: Journal) -> Evidence:
    """Read everything."""
    evidence = Evidence(journal, system.grace, time.time() - time.monotonic())
    evidence.rows = {row["id"]: dict(row) for row in await system.rows("phantom", RUNS)}
    of_key: dict[str, list[int]] = defaultdict(list)
    for row in evidence.rows.values():
        if row["inputs"] and (key := json.loads(row["inputs"]).get("key")):
            of_key[key].append(row["id"])
    evidence.of_key = of_key
    key_of = {str(row["dispatch_key"]): run for run, row in evidence.rows.items()}
    flow_runs: dict[int, list[Row]] = defaultdict(list)
    for row in await system.rows("prefect", FLOW_RUNS):
        run = row["playbook_run_id"] or key_of.get(row["idempotency_key"])
        if run is not None:
            flow_runs[int(run)].append(dict(row))
    evidence.flow_runs = flow_runs
    action_runs: dict[int, list[Row]] = defaultdict(list)
    for row in await system.rows("phantom", ACTION_RUNS):
        action_runs[row["playbook_run_id"]].append(dict(row))
    evidence.action_runs = action_runs
    for run in system.witnesses.runs():
        evidence.witness[run] = system.witnesses.of(run)
        if alive := system.witnesses.alive(run):
            evidence.alive[run] = alive
    for each in journal.disturbances:
        if each.fault.endswith("in Prefect"):
            evidence.touched.update(UUID.findall(each.words))
    return evidence
