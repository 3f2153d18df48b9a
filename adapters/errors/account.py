"""The errors for passwords and tokens that a user cannot have."""

from __future__ import annotations

from prefect_phantom.adapters.errors.request import Invalid


class PasswordLength(Invalid):
    """A password is no text, or too short or too long. The sentence does not repeat it."""

    def __init__(self, shortest: int, longest: int) -> None:
        super().__init__(f"password must be a string of {shortest} to {longest} characters")


class WeakPassword(Invalid):
    """A password is easy to guess; the reason begins with a verb. It is not repeated."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(f"password {reason}; choose another one")


class PasswordOfAutomation(Invalid):
    """An automation user was to get a password."""

    def __init__(self) -> None:
        super().__init__("An automation user has tokens and no password")


class TokenOfPerson(Invalid):
    """A user who is a person was to get a token."""

    def __init__(self, username: str) -> None:
        super().__init__(f'User "{username}" is not an automation user and cannot have a token')


class TokenOfDisabled(Invalid):
    """A disabled user was to get a token."""

    def __init__(self, username: str) -> None:
        super().__init__(f'User "{username}" is disabled and cannot have a token')


class TokenTaken(Invalid):
    """A user was to get the token of another one."""

    def __init__(self, username: str) -> None:
        super().__init__(f'The token given for "{username}" belongs to another user')
