"""The errors for requests that a playbook, as it is, does not allow."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_phantom.adapters.errors.request import Invalid


class PlaybookDisabled(Invalid):
    """A run was asked for of a playbook that is disabled."""

    def __init__(self, playbook: str) -> None:
        super().__init__(f"Playbook {playbook} is disabled")


class PlaybookPresent(Invalid):
    """A playbook was to be forgotten whose file is still there."""

    def __init__(self, playbook: str) -> None:
        super().__init__(f"Playbook {playbook} is in its repository; take its file away first")


class PlaybookJustGone(Invalid):
    """A playbook was to be forgotten whose file may come back within `seconds`."""

    def __init__(self, playbook: str, seconds: int) -> None:
        super().__init__(
            f"The file of playbook {playbook} is gone since a moment, and may be about to come"
            f" back; try again in {seconds} seconds"
        )


class BadPlaybookId(Invalid):
    """A playbook was to get an id that no playbook can have."""

    def __init__(self, new_id: int, largest: int) -> None:
        super().__init__(f"A playbook id must be between 1 and {largest}, not {new_id}")


class PlaybookIdTaken(Invalid):
    """A playbook was to get the id of another one."""

    def __init__(self, new_id: int) -> None:
        super().__init__(f"Another playbook already has the id {new_id}")


class ForeignArtifact(Invalid):
    """The scope of a run names an artifact of another container, or none."""

    def __init__(self, artifact_id: int, container_id: int) -> None:
        super().__init__(
            f"scope names artifact {artifact_id}, which is not in container {container_id}; "
            'accepted are "all", "new" or a list of ids of its artifacts'
        )


class TooManyContainers(Invalid):
    """A schedule would start more runs than `most`, so it starts none."""

    def __init__(self, most: int, label: str, statuses: Sequence[str]) -> None:
        super().__init__(
            f"More than {most} containers have the label {label!r} and one "
            f"of the statuses {', '.join(statuses)}; no run was started"
        )
