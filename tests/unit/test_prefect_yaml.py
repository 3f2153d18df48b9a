"""deployments/prefect.yaml, read by what `prefect deploy` reads it with."""

from __future__ import annotations

import io
from pathlib import Path

import prefect
import pytest
from prefect.cli.deploy._config import _load_deploy_configs_and_actions
from prefect.cli.deploy._schedules import _construct_schedules
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from rich.console import Console

FILE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


@pytest.fixture(scope="module")
def deployments() -> list[dict]:
    """What the file asks for. The loader goes on after a fault, and only says so."""
    said = io.StringIO()
    found, _ = _load_deploy_configs_and_actions(FILE, console=Console(file=said))
    assert said.getvalue() == ""
    assert found
    return found


def schedules(deployment: dict) -> list[dict]:
    return _construct_schedules(
        deployment, {}, console=Console(file=io.StringIO()), is_interactive=lambda: False
    )


def test_each_entrypoint_is_a_flow_that_takes_the_parameters(deployments) -> None:
    for deployment in deployments:
        flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
        assert isinstance(flow, prefect.Flow)
        for given in [{}, *(each.get("parameters", {}) for each in schedules(deployment))]:
            parameters = deployment["parameters"] | given
            assert flow.validate_parameters(parameters).keys() >= parameters.keys()


def test_each_flow_goes_to_the_pool_of_our_worker(deployments) -> None:
    assert {deployment["work_pool"]["name"] for deployment in deployments} == {"phantom"}


def test_every_kind_of_schedule_is_shown_for_every_open_container(deployments) -> None:
    (deployment,) = (each for each in deployments if "for_each" in each["entrypoint"])
    kinds = {type(each["schedule"]) for each in schedules(deployment)}
    assert kinds == {CronSchedule, IntervalSchedule, RRuleSchedule}
    assert {"label", "playbook"} <= deployment["parameters"].keys()


def test_the_form_of_the_flow_has_a_description_and_a_check_for_each_field(deployments) -> None:
    (deployment,) = (each for each in deployments if "for_each" in each["entrypoint"])
    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    schema = parameter_schema(flow)
    assert schema.required == ["label", "playbook"]
    assert all(each.get("description") for each in schema.properties.values())
    assert schema.properties["scope"]["enum"] == ["new", "all"]
    with pytest.raises(prefect.exceptions.ParameterTypeError):
        flow.validate_parameters({"label": "", "playbook": "p", "statuses": [], "scope": "new"})
