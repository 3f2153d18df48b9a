"""The errors for things, addresses and methods that do not exist."""

from __future__ import annotations

from typing import Literal

from prefect_phantom.adapters.errors.root import PhantomError, cut

Thing = Literal[
    "Action run",
    "App",
    "App run",
    "Approval",
    "Artifact",
    "Asset",
    "Block result",
    "CEF field",
    "Comment",
    "Container",
    "Container status",
    "Custom list",
    "Label",
    "Line",
    "Note",
    "Pin",
    "Playbook",
    "Playbook run",
    "Repository",
    "Role",
    "Severity",
    "Token",
    "User",
]
"""What a caller can ask for by an id or a name, as it is called in sentences."""


class NotFound(PhantomError):
    """The named thing does not exist (HTTP 404)."""

    # The sentence for a playbook is recorded from a running SOAR; the others are made like it.
    def __init__(self, thing: Thing, identifier: int | str) -> None:
        super().__init__(f'{thing} "{identifier}" not found')


class EndpointNotFound(PhantomError):
    """No resource lives at this path (HTTP 404)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Unknown endpoint {cut(path)}")


class MethodNotAllowed(PhantomError):
    """The path exists, the method does not (HTTP 405)."""

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not allowed on {path}; allowed: {', '.join(allowed)}")
        self.allowed = allowed
