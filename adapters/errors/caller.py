"""The errors for callers who are not known, or may not do what they ask for."""

from __future__ import annotations

import math
from typing import ClassVar
from uuid import UUID

from prefect_phantom.adapters.errors.root import PhantomError, shown


class Unauthenticated(PhantomError):
    """Credentials are missing or wrong (HTTP 401). `user_id` is whose they claimed to be."""

    def __init__(self, message: str, user_id: int | None = None) -> None:
        super().__init__(message)
        self.user_id = user_id

    MISSING: ClassVar[str] = "No supported auth information provided in request"
    """Recorded from a running SOAR."""
    BAD_AUTOMATION: ClassVar[str] = "Invalid automation token"
    """Recorded from a running SOAR."""
    BAD_LOGIN: ClassVar[str] = "Invalid username or password"


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


class ForeignFlowRun(Refused):
    """A ticket was shown for another flow run than its own (HTTP 403, runtime API only)."""

    def __init__(self, flow_run_id: UUID) -> None:
        super().__init__(
            f"The ticket is for flow run {flow_run_id} alone. A flow that is no playbook starts "
            "playbooks by run_deployment, not by calling them"
        )


class UnknownHost(Refused):
    """The request asks for a host that this gateway is not (HTTP 403)."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This gateway is not {shown(host)}; a name by which it may be asked is one of"
            " PREFECT_PHANTOM_ALLOWED_HOSTS, or that of PREFECT_PHANTOM_BASE_URL"
        )


class ForbiddenAddress(Refused):
    """The caller's user may not call from this address (HTTP 403)."""

    def __init__(self, username: str, ip_address: str | None) -> None:
        where = ip_address or "an address that is not known"
        super().__init__(f'User "{username}" may not call from {where}')


class TooMany(PhantomError):
    """Too much comes from here; later it will be right again (HTTP 429)."""

    REQUESTS: ClassVar[str] = "Too many requests"
    FAILURES: ClassVar[str] = "Too many failed logins"
    AT_ONCE: ClassVar[str] = "Too many requests of this kind at once"

    def __init__(self, what: str, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(f"{what}; try again in {self.retry_after} s")
