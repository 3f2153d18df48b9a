"""The text in a run's `message`: JSON inside JSON, as the vendor's page shows it.

Keys and their order are the page's, where they stand in the order of the alphabet. `playbook`
("repository/name") is added, and in each entry `app` and `status`, which later versions have and
published playbooks read: together every known reader is satisfied (our decision).
"""

from __future__ import annotations

import json
from typing import Any, Literal

from adapters.rest.responses import compact
from adapters.store.playbook_runs import PlaybookRun

ParameterForm = Literal["text", "object"]


def message_text(run: PlaybookRun, parameter: ParameterForm) -> str:
    """The whole text, ended by the newline of the vendor's example; never empty."""
    content = {
        "message": run.message,
        "playbook_run_id": run.id,
        "playbook": run.playbook,
        "result": [_action_run(action_run, parameter) for action_run in run.result],
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
