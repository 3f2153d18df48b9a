"""The errors for requests that are right in themselves, but not as things stand."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from prefect_phantom.adapters.errors.request import Invalid
from prefect_phantom.adapters.errors.root import PhantomError, shown


class AlreadyFinished(Invalid):
    """Cancel came after the end of the run. Nothing changes."""

    def __init__(self, playbook_run: int, status: str, cancelled: str) -> None:
        super().__init__(
            f"Playbook run {playbook_run} was already cancelled"
            if cancelled
            else f'Playbook run {playbook_run} already finished with status "{status}"'
        )


class RunsRefer(Invalid):
    """Runs were accepted on a container, or with an artifact, so it stays: it is evidence."""

    def __init__(self, thing: str, identifier: int, runs: int) -> None:
        super().__init__(
            f"{thing} {identifier} cannot be deleted: it is kept for "
            f"the playbook runs that were given it, of which there are {runs}"
        )


class KeyReused(PhantomError):
    """An ``Idempotency-Key`` stands for another request already (HTTP 409)."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {shown(key)} was sent before with another request; "
            "a new request needs a new key"
        )


class NameTaken(PhantomError):
    """Another process is the worker of this name (HTTP 409, runtime API only)."""

    def __init__(self, name: str, *, hostname: str, process_id: int, **told: object) -> None:
        """`told` is what lets who wanted the name find out whether that process is dead."""
        super().__init__(
            f"The name {name} is in use by the worker in process {process_id} on {hostname}: stop"
            " that one, or give this one another name with PREFECT_PHANTOM_WORKER_NAME"
        )
        self._told = {"process_id": process_id, **told}

    @property
    def fields(self) -> dict[str, object]:
        """What is known of the process that has the name."""
        return self._told


class NameNotHeld(PhantomError):
    """Who speaks as the worker of this name is not that (HTTP 409, runtime API only)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name} is not held by the worker that says it has it")


class Unavailable(PhantomError):
    """The database does not answer (HTTP 503). Nothing was accepted, unless it is uncertain."""

    RETRY_AFTER_SECONDS: ClassVar[int] = 5

    def __init__(self, *, uncertain: bool = False) -> None:
        super().__init__(
            "The connection to the database broke, and what was asked for may have been done; "
            "sent again with the same Idempotency-Key it is not done twice"
            if uncertain
            else "The database does not answer; nothing was accepted, try again later"
        )


class NotReady(Unavailable):
    """The answer is not known yet; asking again soon is right (HTTP 503, runtime API only)."""

    def __init__(self, message: str) -> None:
        PhantomError.__init__(self, message)


class BodyNotRead(Unavailable):
    """What reads large bodies ended meanwhile, or took too long (HTTP 503). Nothing was stored."""

    def __init__(self) -> None:
        PhantomError.__init__(
            self,
            "The large request body could not be read just now; nothing was accepted, "
            "try again later",
        )


class PrefectUnavailable(Unavailable):
    """Prefect does not do what an asset needs there (HTTP 503). Nothing was stored."""

    def __init__(self) -> None:
        PhantomError.__init__(
            self,
            "Prefect, where secrets and limits of assets are kept, does not answer; "
            "nothing was stored, try again later",
        )


class PlaybookStays(Unavailable):
    """Prefect does not say or do what forgetting a playbook needs (HTTP 503). Nothing is gone."""

    def __init__(self) -> None:
        PhantomError.__init__(
            self, "Prefect, which has the playbook's deployment, does not answer; try again later"
        )


class AppsUnknown(Unavailable):
    """Which settings are secret is not known yet (HTTP 503). Nothing was stored."""

    def __init__(self) -> None:
        PhantomError.__init__(
            self,
            "The apps, which say what is secret, have not been looked at yet; "
            "nothing was stored, try again later",
        )


class Superseded(PhantomError):
    """An attempt may not go on: the run is over, cancelled, or held by another process."""

    def __init__(
        self, message: str, *, held_elsewhere: bool = False, begins_elsewhere: bool = False
    ) -> None:
        super().__init__(message)
        self.held_elsewhere = held_elsewhere
        self.begins_elsewhere = begins_elsewhere

    @property
    def fields(self) -> dict[str, object]:
        """Whether another process holds the run, so that its Prefect state is not this one's.

        And, if so, that it is to begin on another worker, which has its code.
        """
        elsewhere = {"begins_elsewhere": True} if self.begins_elsewhere else {}
        return {"held_elsewhere": self.held_elsewhere, **elsewhere}


class OtherFlowRun(Superseded):
    """The run belongs to another flow run: this one is a copy of that, or was made twice."""

    def __init__(self, playbook_run_id: int, dispatch_key: UUID) -> None:
        super().__init__(
            f"Playbook run {playbook_run_id} belongs to another flow run; "
            "leave playbook_run_id empty to start a new run"
        )
        self.dispatch_key = dispatch_key
        """What the flow run carries as its idempotency key that was made for the run."""
