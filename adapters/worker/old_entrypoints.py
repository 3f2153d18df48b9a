"""Where deployments say that our own flows are, if a version made them whose name was `flows`.

The gateway registers them anew when a worker has reported where they are; until then workers are
given runs of such deployments.
"""

from __future__ import annotations

from prefect.client.schemas.responses import DeploymentResponse

PLAYBOOKS = ("fails", "my_playbook", "test_connectivity", "wait")
CURRENT = {
    "flows.for_each_container.for_each_container": (
        "prefect_phantom.flows.inside.for_each_container.for_each_container"
    ),
    **{
        f"flows.playbooks.{name}.{name}": f"prefect_phantom.flows.playbooks.{name}.{name}"
        for name in PLAYBOOKS
    },
}


def moved_to(deployment: DeploymentResponse) -> str | None:
    """Where the flow is now, if it is ours; with a folder it is of somebody else's `flows`."""
    return None if deployment.pull_steps else CURRENT.get(deployment.entrypoint or "")
