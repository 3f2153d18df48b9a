"""Every error a caller can see, drawn once; the sentence is built here and nowhere else.

::

    PhantomError
    ├── Unauthenticated          no or wrong credentials
    ├── Refused                  known caller, not allowed
    │   ├── PermissionMissing  TokenOnDelete
    │   └── ForeignOrigin  ForbiddenAddress
    ├── NotFound
    │   ├── PlaybookNotFound  ContainerNotFound  ArtifactNotFound  PlaybookRunNotFound
    │   ├── UserNotFound  RoleNotFound  TokenNotFound  EntryNotFound
    │   └── EndpointNotFound
    ├── MethodNotAllowed
    ├── BodyTooLarge
    ├── HeadTooLarge  RequestTooSlow
    ├── TooMany                  too many requests, or failed logins, from here
    ├── Invalid                  the request cannot be carried out as it was sent
    │   ├── BadBody  FieldMissing  BadField  NotRequested  NotUpdatable
    │   ├── UnknownLabel  UnknownOwner  NoSuchPage  UserExists
    │   ├── RoleExists  RoleIsShipped  RoleInUse  LastAdministrator
    │   ├── UnknownField  UnknownLookup  BadFilter  BadPattern  BadQuery  TooCostly
    │   ├── DuplicateContainer  DuplicateArtifact
    │   └── AlreadyFinished
    ├── KeyReused                an Idempotency-Key came with two different requests
    ├── Unavailable              the database does not answer
    └── Superseded               a stale or refused attempt of a run (runtime API only)

The base classes carry no status code: `adapters.rest.failures` maps them, so that the store can
raise them without knowing HTTP.
"""

from __future__ import annotations

import json
import math
from typing import ClassVar

SHOWN_CHARACTERS = 80
"""How much of a refused value an error repeats."""


def _shown(value: object) -> str:
    """`value` as JSON for a sentence, cut to a readable length."""
    return _cut(json.dumps(value, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


class PhantomError(Exception):
    """Root of the tree. ``str(error)`` is the sentence that the caller sees."""

    @property
    def fields(self) -> dict[str, object]:
        """Further fields of the failed envelope, besides ``failed`` and ``message``."""
        return {}


class Unauthenticated(PhantomError):
    """Credentials are missing or wrong (HTTP 401). `user_id` is whose they claimed to be."""

    def __init__(self, message: str, user_id: int | None = None) -> None:
        super().__init__(message)
        self.user_id = user_id

    MISSING: ClassVar[str] = "No supported auth information provided in request"
    """Recorded from a running SOAR."""
    BAD_TOKEN: ClassVar[str] = "Invalid automation token"  # noqa: S105
    """Recorded from a running SOAR."""
    BAD_PASSWORD: ClassVar[str] = "Invalid username or password"  # noqa: S105


class Refused(PhantomError):
    """The caller is known and may not do this (HTTP 403)."""


class PermissionMissing(Refused):
    """The caller's user lacks a permission. Our decision: the text names it."""

    def __init__(self, username: str, permission: str) -> None:
        super().__init__(f'User "{username}" lacks the permission "{permission}"')


class TokenOnDelete(Refused):
    """The vendor's page allows DELETE with a user's password only."""

    def __init__(self) -> None:
        super().__init__("DELETE is refused to automation tokens; use a user's name and password")


class ForeignOrigin(Refused):
    """A browser sent the request from another site (HTTP 403)."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"Requests from another site are refused: {origin}")


class ForbiddenAddress(Refused):
    """The caller's user may not call from this address (HTTP 403)."""

    def __init__(self, username: str, ip_address: str | None) -> None:
        where = ip_address or "an address that is not known"
        super().__init__(f'User "{username}" may not call from {where}')


class NotFound(PhantomError):
    """The named thing does not exist (HTTP 404)."""


class PlaybookNotFound(NotFound):
    """The text is recorded from a running SOAR."""

    def __init__(self, playbook: int | str) -> None:
        super().__init__(f'Playbook "{playbook}" not found')


class ContainerNotFound(NotFound):
    """Our decision, after the recorded text for playbooks."""

    def __init__(self, container: int | str) -> None:
        super().__init__(f'Container "{container}" not found')


class ArtifactNotFound(NotFound):
    """Our decision, after the recorded text for playbooks."""

    def __init__(self, artifact: int | str) -> None:
        super().__init__(f'Artifact "{artifact}" not found')


class PlaybookRunNotFound(NotFound):
    """Our decision, after the recorded text for playbooks."""

    def __init__(self, playbook_run: int | str) -> None:
        super().__init__(f'Playbook run "{playbook_run}" not found')


class UserNotFound(NotFound):
    """Our decision, after the recorded text for playbooks."""

    def __init__(self, user: int | str) -> None:
        super().__init__(f'User "{user}" not found')


class RoleNotFound(NotFound):
    """Our decision, after the recorded text for playbooks."""

    def __init__(self, role: int | str) -> None:
        super().__init__(f'Role "{role}" not found')


class TokenNotFound(NotFound):
    """Our decision, after the recorded text for playbooks. It is named by its id."""

    def __init__(self, token: int | str) -> None:
        super().__init__(f'Token "{token}" not found')


class EntryNotFound(NotFound):
    """Our decision, after the recorded text for playbooks. `thing` begins with a capital."""

    def __init__(self, thing: str, identifier: int | str) -> None:
        super().__init__(f'{thing} "{identifier}" not found')


class EndpointNotFound(NotFound):
    """No resource lives at this path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Unknown endpoint {path}")


class MethodNotAllowed(PhantomError):
    """The path exists, the method does not (HTTP 405)."""

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not allowed on {path}; allowed: {', '.join(allowed)}")
        self.allowed = allowed


class BodyTooLarge(PhantomError):
    """The body is over the limit (HTTP 413)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than the limit of {limit} bytes")


class HeadTooLarge(PhantomError):
    """Path or headers are over their limits (HTTP 431)."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"Path and headers of the request are over the limit of {limit}")


class RequestTooSlow(PhantomError):
    """The request was not complete in time (HTTP 408)."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request was not complete within {seconds:.0f} s")


class TooMany(PhantomError):
    """Too much comes from here; later it will be right again (HTTP 429)."""

    REQUESTS: ClassVar[str] = "Too many requests"
    FAILURES: ClassVar[str] = "Too many failed logins"

    def __init__(self, what: str, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(f"{what}; try again in {self.retry_after} s")


class Invalid(PhantomError):
    """The request cannot be carried out as it was sent (HTTP 400)."""


class BadBody(Invalid):
    """The body cannot be read as one JSON object; the reason says which rule it breaks."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The request body {reason}")


class FieldMissing(Invalid):
    """A required field is absent or null."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is required")


class BadField(Invalid):
    """A field holds something that is not accepted there; names the value and what is."""

    def __init__(self, name: str, value: object, accepted: str) -> None:
        super().__init__(f"{name} must be {accepted}, not {_shown(value)}")


class NotRequested(Invalid):
    """``run`` or ``cancel`` is missing or not true, so there is nothing to do."""

    def __init__(self, name: str, *, updating: bool = False) -> None:
        others = ", and no other field can be updated" if updating else ""
        super().__init__(
            f'The request does not ask for a {name}: "{name}": true is missing{others}'
        )


class NotUpdatable(Invalid):
    """The vendor's page: no other fields can be updated."""

    def __init__(self, names: list[str], thing: str, updatable: str) -> None:
        super().__init__(
            f"No other field can be updated: {_shown(names)}; a {thing} takes {updatable}"
        )


class UnknownLabel(Invalid):
    """The text is recorded from a running SOAR."""

    def __init__(self, label: str) -> None:
        super().__init__(f'Label "{label}" is not a known label.')


class UnknownOwner(Invalid):
    """Begins with the words that published clients of SOAR look for."""

    def __init__(self, owner_id: int) -> None:
        super().__init__(f'"owner_id" Not found: no user has the id {owner_id}')


class NoSuchPage(Invalid):
    """Page past the end. Clients take these recorded words as the end of the list."""

    def __init__(self, page: int) -> None:
        super().__init__(f"Invalid page ({page}): That page contains no results")


class UnknownField(Invalid):
    """A filter names a field that there is not; lists those that there are."""

    def __init__(self, parameter: str, name: str, resource: str, valid: list[str]) -> None:
        super().__init__(
            f"{_shown(name)} in {_shown(parameter)} is not a field of {resource}; "
            f"valid fields are {', '.join(valid)}"
        )


class UnknownLookup(Invalid):
    """A filter names a lookup that its field has not; lists those that it has."""

    def __init__(self, parameter: str, lookup: str, field: str, valid: list[str]) -> None:
        super().__init__(
            f"{_shown(lookup)} in {_shown(parameter)} is not a lookup of {field}; "
            f"valid lookups are {', '.join(valid)}"
        )


class BadFilter(Invalid):
    """The value of a filter does not fit its field or lookup."""

    def __init__(self, parameter: str, text: str, accepted: str) -> None:
        super().__init__(f"{_cut(parameter)} must be compared with {accepted}, not {_shown(text)}")


class BadPattern(Invalid):
    """PostgreSQL cannot read a regular expression."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The filter cannot be evaluated: {_cut(reason)}")


class BadQuery(Invalid):
    """The query of a list breaks a rule; the reason begins with a verb."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The query {reason}")


class TooCostly(Invalid):
    """A list takes longer than lists may."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"The list takes longer than {seconds} s; filter by id, container, status or time first"
        )


class UserExists(Invalid):
    """A new user's name is taken."""

    def __init__(self, username: str) -> None:
        super().__init__(f'User "{username}" already exists')


class RoleExists(Invalid):
    """A new role's name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Role "{name}" already exists')


class RoleIsShipped(Invalid):
    """The vendor's documentation: default roles can neither be edited nor deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Role "{name}" is shipped and cannot be changed')


class RoleInUse(Invalid):
    """A role that users have is not deleted, since nobody would see what they lose."""

    def __init__(self, name: str, users: int) -> None:
        super().__init__(f'Role "{name}" cannot be deleted while users have it: {users}')


class LastAdministrator(Invalid):
    """Nobody would be left who could undo the change."""

    def __init__(self) -> None:
        super().__init__("The change would leave nobody with a password who may administer")


class DuplicateContainer(Invalid):
    """A container with this ``source_data_identifier`` exists."""

    def __init__(self, source_data_identifier: str, existing: int) -> None:
        super().__init__(
            f"duplicate container with source_data_identifier {json.dumps(source_data_identifier)}"
        )
        self.existing = existing

    @property
    def fields(self) -> dict[str, object]:
        """The id of the container that is already there."""
        return {"existing_container_id": self.existing}


class DuplicateArtifact(Invalid):
    """The container has an artifact with this ``source_data_identifier``."""

    def __init__(self, source_data_identifier: str, existing: int) -> None:
        super().__init__(
            f"duplicate artifact with source_data_identifier {json.dumps(source_data_identifier)}"
        )
        self.existing = existing

    @property
    def fields(self) -> dict[str, object]:
        """The id of the artifact that is already there."""
        return {"existing_artifact_id": self.existing}


class AlreadyFinished(Invalid):
    """Cancel came after the end of the run. Nothing changes."""

    def __init__(self, playbook_run: int, status: str, cancelled: str) -> None:
        super().__init__(
            f"Playbook run {playbook_run} was already cancelled"
            if cancelled
            else f'Playbook run {playbook_run} already finished with status "{status}"'
        )


class KeyReused(PhantomError):
    """An ``Idempotency-Key`` stands for another request already (HTTP 409)."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {_shown(key)} was sent before with another request; "
            "a new request needs a new key"
        )


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


class Superseded(PhantomError):
    """An attempt may not go on: the run is over, cancelled, or held by another process."""

    def __init__(self, message: str, *, held_elsewhere: bool = False) -> None:
        super().__init__(message)
        self.held_elsewhere = held_elsewhere

    @property
    def fields(self) -> dict[str, object]:
        """Whether another process holds the run, so that its Prefect state is not this one's."""
        return {"held_elsewhere": self.held_elsewhere}
