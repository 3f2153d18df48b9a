"""What a worker makes of the gateway's answers: a refusal is no outage."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tenacity import AsyncRetrying, RetryCallState

from prefect_phantom.adapters.worker.gateway import gateway_client
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused


class Gateway:
    """Answers with one response after the other, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.asked = 0

    def __call__(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def client(
    gateway: Gateway,
) -> AsyncIterator[GatewayClient]:
    client = GatewayClient(url="http://gateway", key="key", worker="one")
    transport = httpx.MockTransport(gateway)
    client._client = httpx.AsyncClient(base_url="http://gateway", transport=transport)
    yield client
    await client.close()


async def test_what_is_no_json_is_an_outage(gateway: Gateway, client: GatewayClient) -> None:
    gateway.answers = [httpx.Response(200, text='{"stop": "x"}\n<html>\n')]
    hints = client.hints("phantom")
    assert await anext(hints) == {"stop": "x"}
    with pytest.raises(httpx.HTTPError, match="no runtime API"):
        await anext(hints)
    gateway.answers = [httpx.Response(200, text="<html>"), httpx.Response(200, json={})]
    await client.started("holder")
    assert gateway.asked == 3


async def test_a_wrong_key_is_said_at_once_and_not_sent_again(
    gateway: Gateway, client: GatewayClient
) -> None:
    gateway.answers = [httpx.Response(401, json={"failed": True, "message": "no"})]
    with pytest.raises(GatewayRefused, match="PREFECT_PHANTOM_RUNTIME_KEY must be the same"):
        await client.started("holder")
    with pytest.raises(GatewayRefused):
        async for _ in client.hints("phantom"):
            pass
    assert gateway.asked == 2


@pytest.mark.parametrize("code", [400, 403, 404, 413])
async def test_no_refusal_is_sent_again(gateway: Gateway, client: GatewayClient, code: int) -> None:
    gateway.answers = [httpx.Response(code, text="<html>")]
    with pytest.raises(GatewayRefused, match=f"HTTP {code}"):
        await client.started("holder")
    assert gateway.asked == 1


@pytest.mark.parametrize("code", [408, 429])
async def test_what_asks_to_come_later_is_sent_again(
    gateway: Gateway, client: GatewayClient, code: int
) -> None:
    later = httpx.Response(code, headers={"retry-after": "0"}, json={})
    gateway.answers = [later, httpx.Response(503, json={}), httpx.Response(200, json={})]
    await client.started("holder")
    assert gateway.asked == 3


@pytest.mark.parametrize(
    ("asked", "patience", "waited", "seconds"),
    [
        ("3600", 120, 0, 30),
        ("3600", 3, 1, 2),
        ("2", 120, 0, 2),
        ("0", 120, 0, 0),
        ("x", 120, 119, 1),
    ],
)
def test_nobody_makes_a_worker_wait_for_longer_than_it_has_patience(
    asked: str, patience: float, waited: float, seconds: float
) -> None:
    state = RetryCallState(AsyncRetrying(), None, (), {})
    answer = httpx.Response(
        503, headers={"retry-after": asked}, request=httpx.Request("POST", "http://gateway")
    )
    error = httpx.HTTPStatusError("busy", request=answer.request, response=answer)
    state.attempt_number = 10
    state.set_exception((type(error), error, None))
    state.outcome_timestamp = state.start_time + waited
    assert gateway_client._pauses(patience)(state) == pytest.approx(seconds)
