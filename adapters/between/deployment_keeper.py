"""What Prefect has of a playbook: asked for in the HTTP room, done in the Prefect room."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class DeploymentKeeper(Protocol):
    """Reads and deletes deployments. Each call may be repeated, and raises `Unavailable`."""

    async def schedules(self, deployment_id: UUID) -> list[str]:
        """The schedules of a deployment, each in words; none of one that is not there."""

    async def delete(self, deployment_id: UUID) -> None:
        """Delete a deployment, if it is there, and with it what it has scheduled."""
