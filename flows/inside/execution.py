"""What happens when a playbook's flow is called: its run is claimed, carried out, and ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Scheduled
from pydantic import BaseModel

from prefect_phantom.flows.failure import WrongInputs
from prefect_phantom.flows.inside.body import (
    call,
    checked_inputs,
    checked_outputs,
    in_scope,
    recorded_outputs,
)
from prefect_phantom.flows.inside.definition import Definition
from prefect_phantom.flows.inside.display.prefect_artifacts import show_summary
from prefect_phantom.flows.inside.display.visible_text import one_line, visible
from prefect_phantom.flows.inside.json_values import as_text
from prefect_phantom.flows.inside.log.log_format import about_process
from prefect_phantom.flows.inside.log.run_log import RunLog
from prefect_phantom.flows.inside.record import LONGEST_MESSAGE
from prefect_phantom.flows.inside.runtime.client import Attempt, Claim, Superseded
from prefect_phantom.flows.inside.secrets.redacted_failure import raising_redacted
from prefect_phantom.flows.inside.secrets.secret import BlockSecrets
from prefect_phantom.flows.inside.task import perform_in_prefect
from prefect_phantom.flows.result import Status
from prefect_phantom.flows.run import PlaybookRun, current_or_none, in_hand

AGAIN_SECONDS = 5.0
LONGEST_AGAIN_SECONDS = 300.0
RUN_TAG = "playbook_run:"
LONGEST_NAME = 80
"""How much of a container's name stands in that of a run."""


def run_tags(playbook_run_id: int, container_id: int, label: str) -> list[str]:
    """Tags by which a run is found in Prefect; its repository is a tag of its deployment."""
    return [
        f"{RUN_TAG}{playbook_run_id}",
        f"container:{container_id}",
        f"label:{one_line(label)}",
    ]


def run_name(container: str, playbook: str, playbook_run_id: int) -> str:
    """What a run is called in Prefect, on one line."""
    container = one_line(container)
    if len(container) > LONGEST_NAME:
        container = f"{container[:LONGEST_NAME]}..."
    return f"{container}: {one_line(playbook)} #{playbook_run_id}"


def execute(
    definition: Definition,
    container_id: int,
    scope: str | list[int],
    inputs: BaseModel | dict[str, Any] | None,
    playbook_run_id: int | None,
) -> Any:  # noqa: ANN401 - the playbook's own
    """Run a playbook: within the run in hand if there is one, else as a run to be claimed."""
    # Of a flow run that was copied in Prefect, its page has filled in the defaults.
    sent = (
        inputs.model_dump(mode="json", exclude_defaults=playbook_run_id is not None)
        if isinstance(inputs, BaseModel)
        else inputs
    )
    calling = current_or_none()
    if calling is not None:
        return _within(calling, definition, container_id, scope, sent)
    return _claimed(definition, container_id, scope, sent, playbook_run_id)


def _within(
    calling: PlaybookRun[Any],
    definition: Definition,
    container_id: int,
    scope: str | list[int],
    inputs: dict[str, Any] | None,
) -> Any:  # noqa: ANN401 - the playbook's own
    """A sub-flow: its actions are recorded in the run that calls it, which a cancel ends whole."""
    if container_id != calling.container.id:
        raise WrongInputs(
            f"Playbook {definition.name} was called on container {container_id} within a run on "
            f"container {calling.container.id}; a playbook that another one calls runs on the "
            "same container"
        )
    run = PlaybookRun(
        id=calling.id,
        playbook=calling.playbook,
        container=calling.container,
        artifacts=in_scope(calling.artifacts, scope),
        inputs=checked_inputs(definition, inputs),
        recorder=calling.recorder,
        perform=calling.perform,
        secrets=calling.secrets,
        base_url=calling.base_url,
        attempt=calling.attempt,
        action_runs=calling.action_runs,
    )
    with raising_redacted(run.secrets.redaction), in_hand(run):
        return checked_outputs(definition, call(definition, run))


def _claimed(
    definition: Definition,
    container_id: int,
    scope: str | list[int],
    inputs: dict[str, Any] | None,
    playbook_run_id: int | None,
) -> Any:  # noqa: ANN401 - the playbook's own, or a state
    try:
        attempt = Attempt.begin(
            flow_run_id=UUID(flow_run.id),
            deployment_id=UUID(deployment.id) if deployment.id else None,
            playbook=_known_as(definition),
            container_id=container_id,
            scope=scope,
            inputs=inputs,
            playbook_run_id=playbook_run_id,
            former_id=_former(flow_run.tags, playbook_run_id),
        )
        claim = attempt.claim
        about_process(
            playbook_run_id=claim.playbook_run_id,
            flow_run_id=flow_run.id,
            request_id=claim.request_id,
        )
        # One with another id was copied in Prefect from the run with that id.
        _announce(claim, definition, began_in_prefect=claim.playbook_run_id != playbook_run_id)
        secrets = BlockSecrets()
        with raising_redacted(secrets.redaction):
            return _carried_out(definition, attempt, secrets)
    except Superseded as superseded:
        if superseded.begins_elsewhere:
            _schedule_again(superseded)
            raise Abort(str(superseded)) from superseded
        if superseded.held_elsewhere:
            # The flow run is the other process's: leave its state alone and go quietly.
            raise Abort(str(superseded)) from superseded
        return Cancelled(message=visible(str(superseded)))


def _schedule_again(superseded: Superseded) -> None:
    """Offer the flow run to other workers again: the oftener it came here, the later.

    Unless it was cancelled meanwhile: that is not overruled, and its end is the gateway's to tell.
    """
    seconds = min(AGAIN_SECONDS * 2**flow_run.run_count, LONGEST_AGAIN_SECONDS)
    time = datetime.now(UTC) + timedelta(seconds=seconds)
    later: State[None] = Scheduled(scheduled_time=time, message=str(superseded))
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(flow_run.id)).state
        # Prefect itself refuses it of one that is being cancelled from now on.
        if state is not None and (state.is_running() or state.is_pending()):
            client.set_flow_run_state(UUID(flow_run.id), later)


def _carried_out(definition: Definition, attempt: Attempt, secrets: BlockSecrets) -> Any:  # noqa: ANN401 - the playbook's own
    claim = attempt.claim
    log = RunLog(attempt.log, secrets.redaction)
    run: PlaybookRun[Any] = PlaybookRun(
        id=claim.playbook_run_id,
        playbook=claim.playbook,
        container=claim.container,
        artifacts=claim.artifacts,
        inputs=claim.inputs,
        recorder=attempt,
        perform=perform_in_prefect,
        secrets=secrets,
        base_url=claim.base_url,
        attempt=claim.attempt,
    )
    try:
        with log.listen():
            run = replace(run, inputs=checked_inputs(definition, claim.inputs))
            with in_hand(run):
                outputs = checked_outputs(definition, call(definition, run))
            recorded = recorded_outputs(definition, outputs, secrets.redaction())
    except Exception as error:
        if not isinstance(error, Superseded):
            log.add_exception(error)
            _end(attempt, run, "failed", sentence(error), log)
        raise
    except SystemExit as error:
        # Prefect would call this a crash, and the reason would be lost.
        message = f"The playbook called sys.exit({error.code!r})"
        log.add_exception(error)
        _end(attempt, run, "failed", message, log)
        raise RuntimeError(message) from error
    _end(attempt, run, "success", "", log, recorded)
    return outputs


def _end(
    attempt: Attempt,
    run: PlaybookRun[Any],
    status: Status,
    message: str,
    log: RunLog,
    outputs: dict[str, Any] | None = None,
) -> None:
    message = run.secrets.redaction().text(message)[:LONGEST_MESSAGE]
    attempt.end(status, message, log.rest(), outputs=outputs)
    show_summary(run, status, message)


def _known_as(definition: Definition) -> str:
    """How to find the playbook of a deployment that is not one of the gateway's own."""
    shipped = definition.function.__module__.startswith("prefect_phantom.flows.playbooks.")
    return f"examples/{definition.name}" if shipped else definition.name


def _former(tags: Sequence[str], playbook_run_id: int | None) -> int | None:
    """The id in the tags of a flow run that has been another run than `playbook_run_id` before."""
    ids = (tag.removeprefix(RUN_TAG) for tag in tags if tag.startswith(RUN_TAG))
    known = (int(each) for each in ids if each.isdecimal())
    return next((each for each in known if each != playbook_run_id), None)


def _announce(claim: Claim, definition: Definition, *, began_in_prefect: bool) -> None:
    """Show the run's id in Prefect: in its log, and for one that began there in name and tags."""
    get_run_logger().info(
        "Playbook run %s: %s on container %s, %s artifacts in scope, request %s",
        *(claim.playbook_run_id, claim.playbook, claim.container.id, len(claim.artifacts)),
        claim.request_id,
    )
    if began_in_prefect:
        container = claim.container
        former = [tag for tag in flow_run.tags if not tag.startswith(RUN_TAG)]
        tags = {*former, *run_tags(claim.playbook_run_id, container.id, container.label)}
        name = run_name(container.name, definition.name, claim.playbook_run_id)
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(flow_run.id), name=name, tags=sorted(tags))


def sentence(error: Exception) -> str:
    """What is said of the exception that ended a run."""
    text = as_text(error)
    if type(error).__module__.startswith("prefect_phantom.") and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
