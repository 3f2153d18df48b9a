"""What authors write, carried out by the real system: inputs, outputs, time limits, sub-flows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import Artifact

from tests.integration import authored_playbooks
from tests.system import RUN_SECONDS, System, flow_run_of, is_alive


@pytest.fixture(scope="module")
def authored(system: System) -> Iterator[System]:
    """The system, once it has found the playbooks."""
    file = system.playbooks / "authored.py"
    file.write_text(Path(authored_playbooks.__file__).read_text())
    system.known("local/enrich")
    yield system
    file.unlink()


@pytest.fixture(scope="module")
def deaf(authored: System) -> dict[str, Any]:
    """A run that is deaf to its time limit, begun before the other tests: it takes a while."""
    return authored.executing(authored.start("takes_too_long_deaf"))


def result(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The action runs of a run object."""
    actions: list[dict[str, Any]] = json.loads(run["message"])["result"]
    return actions


def reason(run: dict[str, Any]) -> str:
    return str(json.loads(run["message"])["message"])


@pytest.mark.usefixtures("deaf")
def test_inputs_reach_the_playbook_and_its_outputs_the_caller(authored: System) -> None:
    run = authored.ended(authored.start("enrich", inputs={"ip": "192.0.2.1", "depth": 2}))
    assert (run["status"], run["outputs"]) == ("success", ['{"score": 2}'])


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (None, "inputs does not fit what playbook local/enrich asks for: 'ip' is a required"),
        ({"ip": 7}, "inputs.ip does not fit what playbook local/enrich asks for: 7 is not of type"),
        ({"ip": "192.0.2.1", "depth": 9}, "inputs.depth does not fit what playbook local/enrich"),
        ({"ip": "192.0.2.1", "way": "odd"}, "'odd' is not one of ['fast', 'slow']"),
    ],
)
@pytest.mark.parametrize("scope", ["all", "new", [1]])
def test_inputs_that_do_not_fit_are_refused_with_their_name_and_start_nothing(
    authored: System, inputs: object, reason: str, scope: object
) -> None:
    before = authored.get("/rest/playbook_run?page_size=1")["count"]
    body = {"container_id": 42, "playbook_id": "enrich", "scope": scope, "run": True}
    answer = authored.post(
        "/rest/playbook_run", body if inputs is None else {**body, "inputs": inputs}
    )
    assert answer["failed"] is True
    assert reason in answer["message"]
    assert authored.get("/rest/playbook_run?page_size=1")["count"] == before


@pytest.mark.usefixtures("authored")
async def test_a_run_that_begins_in_prefect_is_told_what_does_not_fit(
    prefect: PrefectClient,
) -> None:
    deployment = await prefect.read_deployment_by_name("enrich/local")
    parameters = {"container_id": 42}
    begun = await prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    flow_run = await flow_run_of(prefect, {"misc": {"flow_run_id": begun.id}})
    assert flow_run.state is not None
    assert flow_run.state.is_failed()
    assert "'ip' is a required property" in str(flow_run.state.message)


def test_callers_learn_what_a_playbook_asks_for_and_gives_back(authored: System) -> None:
    (row,) = authored.get('/rest/playbook?_filter_name="enrich"')["data"]
    assert row["playbook_type"] == "data"
    assert [field["name"] for field in row["input_spec"]] == ["ip", "depth", "way"]
    assert row["input_spec"][0]["description"] == "An IPv4 address"
    assert [field["name"] for field in row["output_spec"]] == ["score"]


@pytest.mark.usefixtures("authored")
async def test_the_form_in_prefect_has_a_field_for_each_input(prefect: PrefectClient) -> None:
    deployment = await prefect.read_deployment_by_name("enrich/local")
    schema = deployment.parameter_openapi_schema
    assert schema["required"] == ["container_id"]
    fields = schema["definitions"]["Address"]["properties"]
    assert fields["depth"]["description"] == "How deep to look"
    assert (fields["depth"]["minimum"], fields["depth"]["maximum"]) == (1, 5)
    assert fields["way"]["enum"] == ["fast", "slow"]
    assert schema["properties"]["container_id"]["minimum"] == 1


async def test_a_playbook_that_another_one_calls_is_a_sub_flow_in_the_same_run(
    authored: System, prefect: PrefectClient
) -> None:
    run = authored.ended(authored.start("calls_another"))
    assert (run["status"], reason(run)) == ("success", "")
    assert sorted(action["action"] for action in result(run)) == ["rest", "rest", "score address"]
    own = UUID(run["misc"]["flow_run_id"])
    inside = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[own]))
    (sub_flow,) = await prefect.read_flow_runs(flow_run_filter=inside)
    assert sub_flow.state is not None
    assert sub_flow.state.is_completed()
    log = authored.get(f"/rest/playbook_run/{run['id']}/log?page_size=0")["data"]
    assert "the verdict is 3" in "\n".join(line["message"] for line in log)


def test_outputs_that_do_not_fit_fail_the_run(authored: System) -> None:
    run = authored.ended(authored.start("breaks_its_word"))
    assert (run["status"], run["outputs"]) == ("failed", [])
    assert reason(run).startswith("outputs.score of playbook breaks_its_word: Input should be a")


async def test_a_run_over_its_time_limit_ends_failed_and_says_so(
    authored: System, prefect: PrefectClient
) -> None:
    run = authored.ended(authored.start("takes_too_long"))
    assert (run["status"], run["cancelled"]) == ("failed", "")
    assert reason(run) == "Playbook takes_too_long took longer than 1 seconds"
    state = (await flow_run_of(prefect, run)).state
    assert state is not None
    assert state.name == "TimedOut"


@pytest.mark.parametrize(("times", "status"), [(2, "success"), (3, "failed")])
def test_an_action_is_tried_again_as_often_as_its_author_says(
    authored: System, tmp_path: Path, times: int, status: str
) -> None:
    file = tmp_path / "tries"
    run = authored.ended(authored.start("tries_again", inputs={"file": str(file), "times": times}))
    assert run["status"] == status
    assert len(file.read_text()) == 3
    assert len(result(run)) == 1


def test_a_result_is_used_again_by_other_runs_as_long_as_its_author_says(
    authored: System, tmp_path: Path
) -> None:
    file = tmp_path / "counted"
    said = []
    for what in ("a", "a", "b"):
        run = authored.ended(authored.start("counts", inputs={"file": str(file), "what": what}))
        said += [entry["app_message"] for action in result(run) for entry in action["app_runs"]]
    assert said == ["a counted 1", "a counted 1", "b counted 2"]


def test_an_action_over_its_time_limit_fails_and_a_failure_may_be_looked_at(
    authored: System,
) -> None:
    run = authored.ended(authored.start("dawdles"))
    assert run["status"] == "success"
    first, second = result(run)
    assert (first["status"], second["status"]) == ("failed", "success")
    assert "timed out" in first["app_runs"][0]["app_message"].lower()


def test_a_map_works_on_no_more_at_once_than_its_limit(authored: System, tmp_path: Path) -> None:
    run = authored.ended(authored.start("meets", inputs={"folder": str(tmp_path)}))
    assert run["status"] == "success"
    (action_run,) = authored.get(f"/rest/action_run?_filter_playbook_run={run['id']}")["data"]
    path = f"/rest/action_run/{action_run['id']}/app_runs?include_expensive"
    (app_run,) = authored.get(path)["data"]
    at_once = [each["data"][0]["at_once"] for each in app_run["result_data"]]
    assert len(at_once) == 12
    assert 1 < max(at_once) <= 3


def test_no_further_parameter_set_of_a_map_begins_after_a_cancel_was_acknowledged(
    authored: System, tmp_path: Path
) -> None:
    file = tmp_path / "noted"
    run_id = authored.start("notes_deaf", inputs={"file": str(file)})
    deadline = time.monotonic() + RUN_SECONDS
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert authored.post(f"/rest/playbook_run/{run_id}", {"cancel": True})["cancelled"] is True
    begun = file.read_text()
    run = authored.ended(run_id)
    assert run["cancelled"] == "Cancelled by admin"
    assert file.read_text() == begun


async def artifacts_of(
    prefect: PrefectClient, run: dict[str, Any], enough: Callable[[list[Artifact]], object]
) -> list[Artifact]:
    """What a run shows in Prefect, once that is `enough`."""
    own = FlowRunFilterId(any_=[UUID(run["misc"]["flow_run_id"])])
    chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=own.any_))
    with anyio.fail_after(RUN_SECONDS):
        while not enough(found := await prefect.read_artifacts(artifact_filter=chosen)):
            await anyio.sleep(0.1)
    return found


async def test_each_action_run_is_a_table_in_prefect_and_the_run_a_summary(
    authored: System, prefect: PrefectClient
) -> None:
    run = authored.ended(authored.start("enrich", inputs={"ip": "192.0.2.1 *", "depth": 2}))
    found = await artifacts_of(prefect, run, lambda found: len(found) == 2)
    by_type = {each.type: each for each in found}
    (row,) = json.loads(str(by_type["table"].data))
    assert row["parameter"] == "`ip=192.0.2.1 *, depth=2`"
    assert (row["status"], row["summary score"]) == ("success", "2")
    summary = str(by_type["markdown"].data)
    assert f"Playbook run {run['id']} ended in **success**" in summary
    assert "- score address: **success**: 1 actions succeeded" in summary


async def test_what_an_action_says_is_no_link_in_prefect(
    authored: System, prefect: PrefectClient
) -> None:
    run = authored.ended(authored.start("breaks_its_word"))
    shown = await artifacts_of(
        prefect, run, lambda found: [each for each in found if each.type == "markdown"]
    )
    (summary,) = [each for each in shown if each.type == "markdown"]
    assert "Input should be a valid integer" in str(summary.data)
    assert "`local/breaks_its_word`" in str(summary.data)


async def test_a_long_loop_shows_in_prefect_how_far_it_is(
    authored: System, prefect: PrefectClient
) -> None:
    run = authored.executing(authored.start("loops"))
    shown = await artifacts_of(
        prefect, run, lambda found: [each for each in found if each.type == "progress"]
    )
    assert any(0 < float(str(each.data)) < 100 for each in shown if each.type == "progress")
    authored.ended(run["id"])
    done = await artifacts_of(
        prefect,
        run,
        lambda found: [each for each in found if each.type == "progress" and each.data == 100.0],
    )
    assert done


def test_a_run_that_is_deaf_to_its_time_limit_is_ended_from_outside(
    authored: System, deaf: dict[str, Any]
) -> None:
    run = authored.ended(deaf["id"])
    assert (run["status"], run["cancelled"]) == ("failed", "")
    assert reason(run) == "The run took longer than the 1 seconds that its playbook allows"
    deadline = time.monotonic() + RUN_SECONDS
    while is_alive(run["misc"]["process_id"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
