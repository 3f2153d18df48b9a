"""A flow for schedules: a playbook on every container with a label, instead of on one by its id.

It only asks the gateway for the runs, which are runs like all others: each has its integer id, its
place in the queue and its own flow run.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import prefect
from prefect import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from prefect_phantom.flows.inside.runtime.client import ask

OPEN = ["new", "open"]


@prefect.flow(name="for_each_container", persist_result=False)
def for_each_container(
    label: Annotated[str, Field(min_length=1, description="Label of the containers")],
    playbook: Annotated[
        str, Field(min_length=1, description="The playbook: its name or repository/name")
    ],
    statuses: Annotated[
        list[str], Field(min_length=1, description="Statuses of the containers")
    ] = OPEN,
    scope: Annotated[
        Literal["new", "all"],
        Field(description="Artifacts: those since the playbook last ran on the container, or all"),
    ] = "new",
) -> None:
    """Start a playbook on every container with a label and one of these statuses.

    All of its runs are stored at once, or none. When this flow run is tried again it starts none
    twice.

    Args:
        label: Label of the containers.
        playbook: The playbook, by its name or as `repository/name`.
        statuses: Statuses of the containers.
        scope: Which artifacts each run sees: `new`, since the playbook last ran on that container,
            or `all`.

    Raises:
        RuntimeRefused: there is no such playbook, it is disabled, or the containers are too many.

    """
    answer = ask(
        "/runtime/scheduled_starts",
        UUID(flow_run.id),
        {
            "label": label,
            "playbook": playbook,
            "statuses": statuses,
            "scope": scope,
        },
    )
    run_ids = answer["playbook_run_ids"]
    get_run_logger().info(
        "Started %s on %s containers with label %s: %s",
        *(playbook, len(run_ids), label, f"playbook runs {run_ids}" if run_ids else "none"),
    )
