"""What can be set in a work pool of type ``phantom``, and for a deployment by job variables."""

from __future__ import annotations

import os
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.workers.base import BaseJobConfiguration, BaseVariables
from pydantic import Field

from prefect_phantom.flows.inside.definition import Isolation
from prefect_phantom.flows.process.grace import GRACE_SECONDS

TYPE = "phantom"
SLOTS = 2 * (os.cpu_count() or 1)
REUSED_RUNS = 200
REUSED_MEMORY_MB = 500
WITHOUT_EFFECT = ("name", "labels", "command")
"""Settings of other types of pool. Prefect checks every setting anew for each run it creates."""


class PhantomVariables(BaseVariables):
    """The settings, as Prefect's UI shows them."""

    env: dict[str, str | None] = Field(
        default_factory=dict,
        title="Environment Variables",
        description="Variables that each run sees beside the worker's.",
        # The same as anyOf, and half as costly to check.
        json_schema_extra={"additionalProperties": {"type": ["string", "null"]}},
    )
    slots: int = Field(default=SLOTS, gt=0, description="Most runs at once on one worker.")
    grace_seconds: float = Field(
        default=GRACE_SECONDS,
        ge=0,
        description="Seconds between SIGTERM and SIGKILL for a cancelled run.",
    )
    isolation: Isolation = Field(
        default="fork",
        description=(
            "fork: each run has a process of its own. reused: processes take one run after the "
            "other, which is faster, and keep what the playbook's own code leaves in them."
        ),
    )
    reused_runs: int = Field(
        default=REUSED_RUNS,
        gt=0,
        description="A reused process is replaced after so many runs.",
    )
    reused_memory_mb: int = Field(
        default=REUSED_MEMORY_MB,
        gt=0,
        description="A reused process is replaced when it holds more memory, in MB, after a run.",
    )


class PhantomJobConfiguration(BaseJobConfiguration):
    """What one run is started with."""

    slots: int = SLOTS
    grace_seconds: float = GRACE_SECONDS
    isolation: Isolation = "fork"
    reused_runs: int = REUSED_RUNS
    reused_memory_mb: int = REUSED_MEMORY_MB

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the run sees beside the worker's; one without a value is left out."""
        return {name: value for name, value in self.env.items() if value is not None}


def default_template() -> dict[str, Any]:
    """The base job template of a new pool."""
    variables = PhantomVariables.model_json_schema()
    variables.pop("title")
    configuration = PhantomJobConfiguration.json_template()
    for name in WITHOUT_EFFECT:
        del variables["properties"][name], configuration[name]
    return {"job_configuration": configuration, "variables": variables}


def completed(template: dict[str, Any]) -> dict[str, Any]:
    """The base job template of a pool, with the settings that it lacks; what it has stays."""
    full, variables = default_template(), template.get("variables", {})
    properties = full["variables"]["properties"] | variables.get("properties", {})
    return {
        **template,
        "job_configuration": full["job_configuration"] | template.get("job_configuration", {}),
        "variables": {**full["variables"], **variables, "properties": properties},
    }


async def configure(
    template: dict[str, Any], *job_variables: dict[str, Any], client: PrefectClient
) -> PhantomJobConfiguration:
    """What a run is started with; of the `job_variables` the later ones outrank the earlier.

    Raises:
        pydantic.ValidationError: they say something that cannot be.
    """
    values = {name: value for each in job_variables for name, value in each.items()}
    environments = [each.get("env") or {} for each in job_variables]
    values["env"] = {name: value for each in environments for name, value in each.items()}
    configuration: PhantomJobConfiguration = await PhantomJobConfiguration.from_template_and_values(
        completed(template), values, client=client
    )
    return configuration
