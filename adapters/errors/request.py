"""The errors for requests that are wrong in themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

from prefect_phantom.adapters.errors.root import PhantomError, shown


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


class Invalid(PhantomError):
    """The request cannot be carried out as it was sent (HTTP 400)."""


class BadBody(Invalid):
    """The body cannot be read as one JSON object; the reason says which rule it breaks."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The request body {reason}")
        self.reason = reason


class WrongInputs(Invalid):
    """What a playbook asks for is missing from its inputs, or does not fit."""

    def __init__(self, playbook: str, place: str, reason: str) -> None:
        super().__init__(f"{place} does not fit what playbook {playbook} asks for: {reason}")


class NoneWorked(Invalid):
    """Of an array of things none could be made; `results` say why, one each."""

    def __init__(self, results: list[dict[str, object]]) -> None:
        super().__init__(f"None of the {len(results)} items could be carried out")
        self.results = results


class FieldMissing(Invalid):
    """A required field is absent or null."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is required")


class BadField(Invalid):
    """A field holds something that is not accepted there; names the value and what is."""

    def __init__(self, name: str, value: object, accepted: str) -> None:
        super().__init__(f"{name} must be {accepted}, not {shown(value)}")


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
            f"No other field can be updated: {shown(names)}; a {thing} takes {updatable}"
        )


class NothingToChange(Invalid):
    """An update names nothing that can be changed; it would look as if it had worked."""

    def __init__(self, thing: str, changeable: Sequence[str]) -> None:
        super().__init__(
            f"The request names nothing that can be changed; {thing} takes {', '.join(changeable)}"
        )


class UnknownLabel(Invalid):
    """The text is recorded from a running SOAR."""

    def __init__(self, label: str) -> None:
        super().__init__(f'Label "{label}" is not a known label.')


class UnknownOwner(Invalid):
    """Begins with the words that published clients of SOAR look for."""

    def __init__(self, owner: int | str) -> None:
        what = "id" if isinstance(owner, int) else "name"
        super().__init__(f'"owner_id" Not found: no user has the {what} {shown(owner)}')


class UserExists(Invalid):
    """A new user's name is taken."""

    def __init__(self, username: str) -> None:
        super().__init__(f'User "{username}" already exists')


class RoleExists(Invalid):
    """A new role's name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Role "{name}" already exists')


class DecidedListExists(Invalid):
    """A custom list's name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Custom list {shown(name)} already exists")


class DecidedListTooLarge(Invalid):
    """A custom list would have more characters than `most`."""

    def __init__(self, most: int) -> None:
        super().__init__(f"A custom list has at most {most} characters, written as JSON")


class AssetExists(Invalid):
    """An asset's name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Asset {shown(name)} already exists")


class SecretSetting(Invalid):
    """Something that looks secret is where it would be shown. The sentence has no value."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{shown(path)} looks secret and is not stored: only settings themselves are kept "
            "secret, not what is in lists and objects or part of a URL"
        )


class SecretsMoved(Invalid):
    """Stored secrets would be sent elsewhere, or with less protection. Nothing is changed."""

    def __init__(self, place: str, secrets: Sequence[str]) -> None:
        super().__init__(
            f"A change of {shown(place)} decides where secrets are sent, or how safely: give"
            f" {', '.join(shown(name) for name in secrets)} anew in the same request, or null to"
            " take it away"
        )


class BadSecret(Invalid):
    """A secret is not what is accepted there. The sentence has its place, never its value."""

    def __init__(self, path: str, accepted: str) -> None:
        super().__init__(f"{shown(path)} must be {accepted}; it is secret and not repeated here")


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
