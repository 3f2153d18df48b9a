"""A playbook run as callers read it."""

from __future__ import annotations

from typing import Any

from prefect_phantom.adapters.rest.contract.runs.message import ParameterForm, message_text
from prefect_phantom.adapters.rest.contract.times import timestamp
from prefect_phantom.adapters.rest.responses import compact
from prefect_phantom.adapters.store.runs.playbook_runs import PlaybookRun


def run_object(run: PlaybookRun, parameter: ParameterForm, waiting: str | None) -> dict[str, Any]:
    """The fields of the vendor's example in its order, then those of later recordings.

    `waiting` says why it has not started yet.
    """
    return {
        "action_exec": [],
        "cancelled": run.cancelled,
        "container": run.container_id,
        "id": run.id,
        "last_artifact": run.last_artifact,
        "log_level": run.log_level,
        "message": message_text(run, parameter),
        "owner": run.owner_id,
        "playbook": run.playbook_id,
        "start_time": timestamp(run.start_time),
        "status": run.status,
        "test_mode": run.test_mode,
        "update_time": timestamp(run.update_time),
        "version": run.version,
        "ip_address": run.ip_address,
        "misc": _misc(run, waiting),
        "parent_run": run.parent_run_id,
        "effective_user": run.effective_user_id,
        "node_guid": None,
        "playbook_run_batch": None,
        # Lists of JSON texts: published playbooks parse each item on its own.
        "inputs": [] if run.inputs is None else [compact(run.inputs)],
        "outputs": run.outputs or [],
        "run_data": {},
        "targets": [],
    }


def _misc(run: PlaybookRun, waiting: str | None) -> dict[str, Any]:
    """The first three are recorded; what follows is ours, to find the run in Prefect."""
    return {
        "scope": run.scope,
        "scope_artifact_ids": run.scope_artifact_ids,
        "parent_playbook_run": None,
        "flow_run_id": None if run.flow_run_id is None else str(run.flow_run_id),
        "worker": run.worker,
        "hostname": run.hostname,
        "process_id": run.process_id,
        "waiting": waiting,
        "request_id": run.request_id,
    }
