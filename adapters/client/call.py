"""One request of the contract and how to read its answer, for both kinds of client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import httpx
import tenacity
from pydantic import BaseModel, ValidationError

from adapters.client.errors import PhantomConnectionError, PhantomRequestError
from adapters.client.models import Container, Playbook, PlaybookRun, Scope

AnswerT = TypeVar("AnswerT")
Json: TypeAlias = Mapping[str, object]

REPEAT_SECONDS = 2.0
"""How long a request that may be sent twice is repeated over a broken connection."""


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


REPEATED = tenacity.retry_if_exception_type(httpx.TransportError)
PAUSES = tenacity.wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1)


@contextmanager
def connection_errors(url: httpx.URL) -> Iterator[None]:
    """Turn what httpx raises without an answer into `PhantomConnectionError`."""
    try:
        yield
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise PhantomConnectionError(str(url), str(error) or type(error).__name__) from error


class _Started(BaseModel):
    playbook_run_id: int


class _Cancelled(BaseModel):
    message: str = ""


class _Saved(BaseModel):
    id: int


class _Secret(BaseModel):
    token: str


class _Playbooks(BaseModel):
    data: list[Playbook]


def _saved(answer: object) -> int:
    return _Saved.model_validate(answer).id


def start_run(
    playbook: int | str, container_id: int, scope: Scope, inputs: Json | None
) -> Call[int]:
    """Start a playbook. Not repeated: the first request may have arrived."""
    body: dict[str, object] = {
        "container_id": container_id,
        "playbook_id": playbook,
        "scope": scope if isinstance(scope, str) else list(scope),
        "run": True,
    }
    if inputs is not None:
        body["inputs"] = dict(inputs)
    return Call(
        method="POST",
        path="/rest/playbook_run",
        body=body,
        parse=lambda answer: _Started.model_validate(answer).playbook_run_id,
    )


def get_run(playbook_run_id: int, repeat_seconds: float = REPEAT_SECONDS) -> Call[PlaybookRun]:
    """Read a run's state."""
    return Call(
        method="GET",
        path=f"/rest/playbook_run/{playbook_run_id}",
        parse=PlaybookRun.model_validate,
        repeat_seconds=repeat_seconds,
    )


def cancel_run(playbook_run_id: int, reason: str | None) -> Call[str]:
    """Cancel a run. Repeated: a second cancel changes nothing."""
    return Call(
        method="POST",
        path=f"/rest/playbook_run/{playbook_run_id}",
        body={"cancel": True} if reason is None else {"cancel": True, "reason": reason},
        parse=lambda answer: _Cancelled.model_validate(answer).message,
        repeat_seconds=REPEAT_SECONDS,
    )


def create_container(fields: Json) -> Call[int]:
    """Make a container. Not repeated: without `source_data_identifier` there would be two."""
    return Call(method="POST", path="/rest/container", body=fields, parse=_saved)


def create_artifact(fields: Json) -> Call[int]:
    """Put an artifact into a container. Not repeated, as for containers."""
    return Call(method="POST", path="/rest/artifact", body=fields, parse=_saved)


def get_container(container_id: int) -> Call[Container]:
    """Read a container."""
    return Call(
        method="GET",
        path=f"/rest/container/{container_id}",
        parse=Container.model_validate,
        repeat_seconds=REPEAT_SECONDS,
    )


def list_playbooks() -> Call[list[Playbook]]:
    """Read every playbook that the gateway knows."""
    return Call(
        method="GET",
        path="/rest/playbook?page_size=0",
        parse=lambda answer: _Playbooks.model_validate(answer).data,
        repeat_seconds=REPEAT_SECONDS,
    )


def set_playbook_id(playbook_id: int, new_id: int) -> Call[int]:
    """Give a playbook another id. Not repeated: the second would find the old id gone."""
    return Call(
        method="POST", path=f"/rest/playbook/{playbook_id}", body={"id": new_id}, parse=_saved
    )


def create_token(username: str) -> Call[str]:
    """Make an automation user with a token. Not repeated: the second name would be taken."""
    return Call(
        method="POST",
        path="/rest/ph_user",
        body={"username": username, "type": "automation"},
        parse=lambda answer: _Secret.model_validate(answer).token,
    )
