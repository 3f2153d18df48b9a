"""What Prefect is told of, so that people's own automations there can react."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Announcement:
    """A container or an artifact that has been made.

    Attributes:
        container_id: The container, or the one that the artifact is in.
        container_label: Its label.
        artifact_id: The artifact; None when it is about the container itself.
        label: Label of what was made.
        severity: Severity of what was made.
    """

    container_id: int
    container_label: str
    artifact_id: int | None
    label: str
    severity: str
