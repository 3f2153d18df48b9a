"""The text in a run's `message`: JSON inside JSON, as the vendor's page shows it.

Keys and their order are the page's, where they stand in the order of the alphabet. `playbook`
("repository/name") is added, and in each entry `app` and `status`, which later versions have and
published playbooks read: together every known reader is satisfied (our decision).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from prefect_phantom.adapters.rest.responses import compact
from prefect_phantom.adapters.store.runs.playbook_runs import PlaybookRun

ParameterForm = Literal["text", "object"]
MOST_KEPT, LONGEST_KEPT = 512, 8192
"""How many texts of ended runs are kept, and characters of the longest: 4 MB at most."""
_made: dict[tuple[int, datetime, str, ParameterForm], str] = {}


def message_text(run: PlaybookRun, parameter: ParameterForm) -> str:
    """The whole text, ended by the newline of the vendor's example; never empty.

    Callers ask again and again for a run that has ended, whose row never changes any more: its text
    is made once, and found by the row's last change.
    """
    if run.status == "running":
        return _text(run, parameter)
    key = (run.id, run.update_time, run.playbook, parameter)
    text = _made.get(key)
    if text is None:
        text = _text(run, parameter)
        if len(text) <= LONGEST_KEPT:
            while len(_made) >= MOST_KEPT:
                del _made[next(iter(_made))]
            _made[key] = text
    return text


def _text(run: PlaybookRun, parameter: ParameterForm) -> str:
    content = {
        "message": run.message,
        "playbook_run_id": run.id,
        "playbook": run.playbook,
        "result": [_action_run(action_run, parameter) for action_run in run.actions()],
        "status": run.status,
    }
    return f"{compact(content)}\n"


def _action_run(action_run: dict[str, Any], parameter: ParameterForm) -> dict[str, Any]:
    if parameter == "object":
        return action_run
    return {**action_run, "app_runs": [_with_text(entry) for entry in action_run["app_runs"]]}


def _with_text(entry: dict[str, Any]) -> dict[str, Any]:
    # With spaces after colons and commas, unlike the text around it: so the page has it.
    return {**entry, "parameter": json.dumps(entry["parameter"])}
