"""What can go wrong for a caller: the gateway said no, or it could not be reached."""

from __future__ import annotations

from collections.abc import Mapping


class PhantomClientError(Exception):
    """Root of the client's errors."""


class PhantomRequestError(PhantomClientError):
    """The gateway answered, and the answer is a refusal or makes no sense.

    Some refusals come with HTTP 200 and ``"failed": true``; they raise this error too.
    """

    def __init__(
        self, status_code: int, message: str, answer: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        """HTTP status of the answer."""
        self.message = message
        """The gateway's own sentence."""
        self.answer = dict(answer or {})
        """The whole answer, such as the `existing_container_id` of a duplicate."""

    def __str__(self) -> str:
        return f"{self.message} (HTTP {self.status_code})"


class PhantomConnectionError(PhantomClientError):
    """No complete answer came. Whether the request was carried out is not known."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"No answer from {url}: {reason}")
        self.url = url
