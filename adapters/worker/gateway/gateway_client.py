"""What a worker says to the gateway over the runtime API, and the hints that it hears."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
)

SILENCE_SECONDS = 30
"""A hint stream without a word for this long is dead; the gateway says something more often."""
HOLDING_SECONDS = 12
"""The same for the stream by which a worker holds its name."""
LONGEST_QUOTE = 100
LATER = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})
"""The refusals that ask to come again: of what was too slow, and of what was too much."""
LONGEST_PAUSE_SECONDS = 30.0
"""Whoever answers may ask for any pause; what waits for it does not live so long."""
PAUSES = wait_exponential(multiplier=0.1, max=2)


class GatewayRefused(Exception):
    """The gateway has understood and says no, which asking again does not change."""

    def __init__(self, sentence: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.fields = fields or {}
        """What the gateway says beside the sentence."""


class GatewayClient:
    """Client of the runtime API's calls for workers."""

    def __init__(self, *, url: str, key: str, worker: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(
            base_url=f"{url}/runtime/workers/{quote(worker, safe='')}",
            headers={"authorization": f"Bearer {key}"},
            timeout=10,
            trust_env=False,
        )

    async def started(self, holder: str) -> None:
        """Nothing of what this worker's name held before is alive on its machine.

        `holder` is who has the name, as it said to `hold`. Waits for the gateway to answer.
        """
        await self._post("started", {"holder": holder}, patience=120)

    async def stopping(self, holder: str) -> None:
        """The runs of this worker, whose name `holder` has, are about to be stopped."""
        await self._post("stopping", {"holder": holder}, patience=3)

    async def stopped(self, holder: str) -> None:
        """The processes of all runs of this worker, whose name `holder` has, have ended."""
        await self._post("stopped", {"holder": holder}, patience=3)

    async def exited(
        self, flow_run_id: UUID, process_id: int, code: int, *, completed: bool
    ) -> None:
        """This process of a run has ended with this exit code; negative for a signal.

        `completed` says that Prefect has accepted the run's Completed from it.
        """
        body = {"flow_run_id": str(flow_run_id), "process_id": process_id, "code": code}
        await self._post("exited", body | {"completed": completed}, patience=120)

    async def held(self, flow_run_ids: Iterable[UUID], **standing: str | int) -> set[UUID]:
        """Say that the worker has these runs, and how it stands; return which may not go on.

        `standing` is its ``work_pool``, ``type``, ``hostname``, ``version``, ``start_time``,
        ``slots``, and ``taken``, the number of slots in use.
        """
        ids = [str(flow_run_id) for flow_run_id in flow_run_ids]
        answer = await self._post("held", {"flow_run_ids": ids, **standing}, patience=3)
        return {UUID(text) for text in answer["stop"]}

    async def found_playbooks(self, report: dict[str, Any]) -> None:
        """Tell what playbooks this worker has: ``digest``, ``playbooks``, ``empty_folders``."""
        await self._post("playbooks", report, patience=3)

    async def has_playbooks(self, digest: str) -> bool:
        """Say that this worker still has them; False when the gateway does not know them."""
        answer = await self._post("playbooks", {"digest": digest}, patience=3)
        return bool(answer["known"])

    async def lacking(self, deployment_ids: Iterable[UUID]) -> tuple[set[UUID], dict[UUID, str]]:
        """Those deployments of which this worker has other code than it should.

        And the version of each that is registered in Prefect, as far as they are the gateway's.
        """
        ids = [str(deployment_id) for deployment_id in deployment_ids]
        answer = await self._post("lacking", {"deployment_ids": ids}, patience=1)
        versions = answer.get("versions", {})  # a gateway of an earlier version tells none
        return (
            {UUID(text) for text in answer["deployment_ids"]},
            {UUID(text): version for text, version in versions.items()},
        )

    async def hints(self, work_pool: str | None) -> AsyncIterator[dict[str, Any]]:
        """Hints as they come, until the connection breaks; offers, for runs of `work_pool`.

        Raises:
            GatewayRefused: it does not take this key.
            httpx.HTTPError: the gateway is not there, or has gone away.
        """
        path = "hints" if work_pool is None else f"hints?work_pool={quote(work_pool, safe='')}"
        async for hint in self._stream("GET", path, SILENCE_SECONDS):
            if hint:
                yield hint

    def hold(self, holder: Mapping[str, str | int]) -> AsyncIterator[dict[str, Any]]:
        """Hold the worker's name; a sign of life every few seconds, until the connection breaks.

        Raises:
            GatewayRefused: another worker has it; the fields say which.
            httpx.HTTPError: the gateway is not there, or has gone away.
        """
        return self._stream("POST", "hold", HOLDING_SECONDS, dict(holder))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _stream(
        self, method: str, path: str, silence: float, body: dict[str, Any] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        timeout = httpx.Timeout(10, read=silence)
        async with self._client.stream(method, path, json=body, timeout=timeout) as answer:
            if answer.is_error:
                await answer.aread()
            _require_success(answer)
            async for line in answer.aiter_lines():
                yield _content(line)

    async def _post(
        self, event: str, body: dict[str, Any] | None = None, *, patience: float
    ) -> dict[str, Any]:
        async for trial in AsyncRetrying(
            retry=retry_if_exception_type(httpx.HTTPError),
            wait=_pauses(patience),
            stop=stop_after_delay(patience),
            reraise=True,
        ):
            with trial:
                answer = await self._client.post(event, json=body or {})
                _require_success(answer)
                content = _content(answer.text)
        return content


def _content(text: str) -> dict[str, Any]:
    """The object that was said. Raises `httpx.DecodingError` for what is no gateway's."""
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        message = f"This is no runtime API: {text[:LONGEST_QUOTE]!r}"
        raise httpx.DecodingError(message) from error


def _require_success(answer: httpx.Response) -> None:
    """Raise `GatewayRefused`, or `httpx.HTTPStatusError` where the answer may soon be another."""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise GatewayRefused(
            f"The gateway at {answer.url.copy_with(path='/')} refuses the runtime key:"
            " PREFECT_PHANTOM_RUNTIME_KEY must be the same for it and for its workers"
        )
    if answer.is_client_error and answer.status_code not in LATER:
        try:
            fields = dict(answer.json())
        except (ValueError, TypeError):  # from a proxy between
            fields = {}
        sentence = fields.pop("message", f"The gateway refuses with HTTP {answer.status_code}")
        raise GatewayRefused(sentence, fields)
    answer.raise_for_status()


def _pauses(patience: float) -> Callable[[RetryCallState], float]:
    """As long as an answer asks for (``Retry-After``), within reason, else longer each time."""

    def pause(state: RetryCallState) -> float:
        seconds = PAUSES(state)
        error = state.outcome and state.outcome.exception()
        if isinstance(error, httpx.HTTPStatusError):
            asked = error.response.headers.get("retry-after", "")
            if asked.isdecimal():
                seconds = min(float(asked), LONGEST_PAUSE_SECONDS)
        return min(seconds, max(0.0, patience - (state.seconds_since_start or 0.0)))

    return pause
