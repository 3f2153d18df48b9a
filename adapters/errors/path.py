"""What there is not."""

from __future__ import annotations

from prefect_phantom.adapters.errors.root import PhantomError, cut


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
        super().__init__(f"Unknown endpoint {cut(path)}")


class MethodNotAllowed(PhantomError):
    """The path exists, the method does not (HTTP 405)."""

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not allowed on {path}; allowed: {', '.join(allowed)}")
        self.allowed = allowed
