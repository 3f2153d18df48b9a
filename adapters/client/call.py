"""One request and how its answer is read, before it is known how it will be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeAlias, TypeVar

import httpx
import tenacity
from pydantic import ValidationError

from prefect_phantom.client.errors import PhantomConnectionError, PhantomRequestError

AnswerT = TypeVar("AnswerT")
Json: TypeAlias = Mapping[str, object]
REPEAT_SECONDS = 2.0
"""How long a request that may be sent twice is repeated over a broken connection."""


def _is_unavailable(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.SERVICE_UNAVAILABLE


REPEATED = tenacity.retry_if_exception_type(httpx.TransportError) | tenacity.retry_if_result(
    _is_unavailable
)
PAUSES = tenacity.wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1)
"""When, and after which pauses, a request that may be sent twice is sent again."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[AnswerT]):
    """A request that has not been sent."""

    method: str
    path: str
    parse: Callable[[Any], AnswerT]
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeat_seconds: float = 0.0
    """How long it is repeated while no gateway answers; 0 when a second one could do harm."""

    def repetition(self) -> tenacity.stop_after_delay:
        """When to stop repeating."""
        return tenacity.stop_after_delay(self.repeat_seconds)

    def repeated(self, seconds: float) -> Self:
        """The same request, which may be repeated for so long."""
        return replace(self, repeat_seconds=seconds)

    def read(self, response: httpx.Response) -> AnswerT:
        """The answer, parsed.

        Raises:
            PhantomRequestError: it is a refusal, or not in the contract's form.
        """
        status = response.status_code
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            start = response.text.strip()[:200]
            raise PhantomRequestError(status, f"The answer is not a JSON object: {start!r}")
        if answer.get("failed") is True or not response.is_success:
            sentence = str(answer.get("message") or response.reason_phrase)
            raise PhantomRequestError(status, sentence, answer)
        try:
            return self.parse(answer)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            )
            raise PhantomRequestError(
                status, f"Unexpected answer to {self.method} {self.path}: {problems}", answer
            ) from error


def last_answer(state: tenacity.RetryCallState) -> httpx.Response:
    """What the last repetition gave, or raise what it raised."""
    outcome: Any = state.outcome  # never None, since it has been sent at least once
    response: httpx.Response = outcome.result()
    return response


def is_unknown(error: PhantomConnectionError | PhantomRequestError) -> bool:
    """Whether a request may or may not have been carried out, and may be now or later."""
    return (
        isinstance(error, PhantomConnectionError)
        or error.status_code == httpx.codes.SERVICE_UNAVAILABLE
    )


@contextmanager
def connection_errors(url: httpx.URL) -> Iterator[None]:
    """Turn what httpx raises without an answer into `PhantomConnectionError`."""
    try:
        yield
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise PhantomConnectionError(str(url), str(error) or type(error).__name__) from error
