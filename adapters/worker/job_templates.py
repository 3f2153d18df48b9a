"""Prefect's own base job templates for containers, changed so that they run playbooks.

A template is stored in Prefect and shown in its UI, so it holds no secret: it names the place where
the ticket key lies, a Secret block for Docker and a Secret of the cluster for Kubernetes. Prefect's
worker starts the run by itself there, so nobody can make its ticket before; the key that makes it
is told to what the container starts, and to no run.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import Any, Literal, TypeAlias

from prefect_phantom.flows.inside.runtime.ticket import KEY_VARIABLE
from prefect_phantom.flows.process import grace

PoolType: TypeAlias = Literal["docker", "kubernetes"]
Template: TypeAlias = dict[str, Any]

RUN_COMMAND = "python -P -m prefect_phantom.flows.process.contained"
"""What a container starts for its run, by the `python` on its PATH."""
LABELS = {"prefect-phantom/part": "run"}
FIELD = "value"
"""Where in the cluster's Secret the ticket key lies."""
KILL_SECONDS = 10
"""What the infrastructure allows a stopped run beyond the grace that it gets inside."""


class WorkerMissing(Exception):
    """Prefect's worker for this type of pool is not installed."""

    def __init__(self, pool_type: PoolType) -> None:
        super().__init__(
            f"Prefect's worker for {pool_type} is not installed: install"
            f' "prefect-phantom[{pool_type}]"'
        )


def job_template(
    pool_type: PoolType, *, image: str, runtime_url: str, key_name: str, grace_seconds: float
) -> Template:
    """Prefect's default template of `pool_type`, for runs in containers of `image`.

    `key_name` names the Secret block (Docker) or the cluster's Secret (Kubernetes) with the ticket
    key. Everything that is not ours to decide stays a variable of the pool.

    Raises `WorkerMissing`.
    """
    environment = {
        "PREFECT_PHANTOM_RUNTIME_URL": runtime_url,
        grace.VARIABLE: f"{grace_seconds:g}",
    }
    template = _default_template(pool_type)
    variables = template["variables"]["properties"]
    variables["command"]["default"] = RUN_COMMAND
    variables["image"]["default"] = image
    variables["labels"]["default"] = LABELS
    if pool_type == "docker":
        _for_docker(template, environment, key_name)
    else:
        _for_kubernetes(template, environment, key_name, grace_seconds)
    return template


def _default_template(pool_type: PoolType) -> Template:
    if importlib.util.find_spec(f"prefect_{pool_type}") is None:
        raise WorkerMissing(pool_type)
    module = importlib.import_module(f"prefect_{pool_type}.worker")
    worker = getattr(module, f"{pool_type.capitalize()}Worker")
    template: Template = worker.get_default_base_job_template()
    return template


def _for_docker(template: Template, environment: dict[str, str], key_name: str) -> None:
    # Not as a default of the variable: whoever sets `env` of a deployment adds to these.
    template["job_configuration"]["env"] = {
        **environment,
        KEY_VARIABLE: "{{ ticket_key }}",
    }
    variables = template["variables"]["properties"]
    variables["ticket_key"] = {
        "title": "Ticket Key",
        "description": "The block that Prefect's worker reads when it starts a container.",
        "type": "string",
        "default": f"{{{{ prefect.blocks.secret.{key_name} }}}}",
    }
    variables["container_create_kwargs"]["default"] = {
        "restart_policy": {"Name": "no"},  # a run is never started twice
        "stop_signal": "SIGTERM",  # whatever the image says
    }


def _for_kubernetes(
    template: Template, environment: dict[str, str], key_name: str, grace_seconds: float
) -> None:
    job = template["job_configuration"]["job_manifest"]["spec"]
    job["backoffLimit"] = 0  # a run is never started twice
    del template["variables"]["properties"]["backoff_limit"]
    pod = job["template"]["spec"]
    pod["restartPolicy"] = "Never"
    pod["automountServiceAccountToken"] = False  # a playbook has no business with the cluster
    pod["terminationGracePeriodSeconds"] = math.ceil(grace_seconds) + KILL_SECONDS
    reference = {"secretKeyRef": {"name": key_name, "key": FIELD}}
    # A list in the manifest is kept beside what the pool and the deployments set as `env`.
    pod["containers"][0]["env"] = [
        *({"name": name, "value": value} for name, value in environment.items()),
        {"name": KEY_VARIABLE, "valueFrom": reference},
    ]
