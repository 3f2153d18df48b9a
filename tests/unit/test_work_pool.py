"""Settings of a work pool: what a run is started with, and pools that lack some of them."""

from __future__ import annotations

import copy

import pytest
from prefect.client.orchestration import PrefectClient
from pydantic import ValidationError

from prefect_phantom.adapters.between.prefect.work_pool import (
    completed,
    configure,
    default_template,
)
from prefect_phantom.adapters.worker.phantom_worker import PhantomWorker


@pytest.fixture
async def client():
    async with PrefectClient("http://127.0.0.1:9/api") as client:  # nothing is asked of it
        yield client


def test_prefect_makes_new_pools_with_the_same_template():
    assert PhantomWorker.get_default_base_job_template() == default_template()


def test_a_full_template_is_complete():
    assert completed(default_template()) == default_template()


@pytest.mark.parametrize("template", [{}, {"variables": {}, "job_configuration": {}}])
def test_an_empty_template_is_filled(template):
    assert completed(template) == default_template()


def test_what_people_have_set_stays():
    template = copy.deepcopy(default_template())
    del template["variables"]["properties"]["isolation"]
    template["variables"]["properties"]["slots"]["default"] = 7
    template["variables"]["properties"]["own"] = {"type": "string"}
    template["job_configuration"]["grace_seconds"] = 9
    full = completed(template)
    properties = full["variables"]["properties"]
    assert (properties["slots"]["default"], properties["own"]) == (7, {"type": "string"})
    assert full["job_configuration"]["grace_seconds"] == 9
    assert properties["isolation"]["default"] == "fork"


async def test_a_run_has_defaults_where_nobody_says_anything(client):
    found = await configure({}, {}, client=client)
    assert (found.isolation, found.reused_runs, found.reused_memory_mb) == ("fork", 200, 500)
    assert found.environment == {}


async def test_a_deployment_outranks_the_pool_and_a_run_the_deployment(client):
    template = default_template()
    template["variables"]["properties"]["env"]["default"] = {"A": "pool", "B": "pool", "C": "pool"}
    template["variables"]["properties"]["grace_seconds"]["default"] = 1
    deployment = {"env": {"B": "deployment", "C": "deployment"}, "grace_seconds": 2}
    of_run = {"env": {"C": "run", "D": None}, "isolation": "reused"}
    found = await configure(template, deployment, of_run, client=client)
    assert found.environment == {"A": "pool", "B": "deployment", "C": "run"}
    assert (found.grace_seconds, found.isolation) == (2, "reused")


@pytest.mark.parametrize("wrong", [{"isolation": "thread"}, {"reused_runs": "many"}])
async def test_what_cannot_be_is_refused(client, wrong):
    with pytest.raises(ValidationError):
        await configure(default_template(), wrong, client=client)
