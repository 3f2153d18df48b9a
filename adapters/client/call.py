"""One request and how its answer is read, before it is known how it will be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import httpx
import tenacity
from pydantic import ValidationError

from adapters.client.errors import PhantomConnectionError, PhantomRequestError

AnswerT = TypeVar("AnswerT")
Json: TypeAlias = Mapping[str, object]

REPEATED = tenacity.retry_if_exception_type(httpx.TransportError)
PAUSES = tenacity.wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1)
"""When, and after which pauses, a request that may be sent twice is sent again."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[AnswerT]):
    """A request that has not been sent."""

    method: str
    path: str
    parse: Callable[[Any], AnswerT]
    body: Json | None = None
    repeat_seconds: float = 0.0
    """How long it is repeated over a broken connection; 0 when a second one could do harm."""

    def repetition(self) -> tenacity.stop_after_delay:
        """When to stop repeating."""
        return tenacity.stop_after_delay(self.repeat_seconds)

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


@contextmanager
def connection_errors(url: httpx.URL) -> Iterator[None]:
    """Turn what httpx raises without an answer into `PhantomConnectionError`."""
    try:
        yield
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise PhantomConnectionError(str(url), str(error) or type(error).__name__) from error
