"""The errors for attempts that may not run, or not yet (HTTP 409 and 503, runtime API only)."""

from __future__ import annotations

from prefect_phantom.adapters.errors.state import NotReady, Superseded


class RunEnded(Superseded):
    """The run has ended."""

    def __init__(self, playbook_run_id: int) -> None:
        super().__init__(
            f"Playbook run {playbook_run_id} has ended and does not run again;"
            " start the playbook once more"
        )


class RunCancelled(Superseded):
    """The cancel of the run was acknowledged."""

    def __init__(self, playbook_run_id: int) -> None:
        super().__init__(f"Playbook run {playbook_run_id} was cancelled")


class RunRemoved(Superseded):
    """The run was removed by retention."""

    def __init__(self, playbook_run_id: int) -> None:
        super().__init__(
            f"Playbook run {playbook_run_id} has been removed;"
            " start the playbook once more, without the tag of that run"
        )


class RunUnknown(Superseded):
    """No run has this id."""

    def __init__(self, playbook_run_id: int) -> None:
        super().__init__(f"There is no playbook run {playbook_run_id}")


class RunElsewhere(Superseded):
    """Another process runs it."""

    def __init__(self, playbook_run_id: int) -> None:
        super().__init__(
            f"Playbook run {playbook_run_id} is held by another process", held_elsewhere=True
        )


class OtherCode(Superseded):
    """The worker has not the code that the run is to begin with."""

    def __init__(self, worker: str | None, playbook: str) -> None:
        super().__init__(
            f"Worker {worker} has other code of playbook {playbook} than it should",
            begins_elsewhere=True,
        )


class AttemptStale(Superseded):
    """Another attempt of the run has begun since."""

    def __init__(self) -> None:
        super().__init__("This attempt is no longer the run's current one", held_elsewhere=True)


class ClaimedTwice(NotReady):
    """Another claim of the same flow run is making the run."""

    def __init__(self) -> None:
        super().__init__("The run is being made by another claim")


class RunHandedOver(NotReady):
    """The gateway has not noted yet which flow run the run has."""

    def __init__(self, playbook_run_id: int) -> None:
        super().__init__(f"Playbook run {playbook_run_id} is still being handed over")


class FlowRunUnknown(NotReady):
    """Prefect does not answer, so it is not known what the flow run is."""

    def __init__(self) -> None:
        super().__init__("Prefect does not say what this flow run is")
