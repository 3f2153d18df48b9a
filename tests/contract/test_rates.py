"""Our decision: more requests than the allowed rate are refused, and told when to come back."""

from __future__ import annotations

import httpx
import pytest

from prefect_phantom.adapters.errors import TooMany
from prefect_phantom.adapters.rest.layers import rates
from prefect_phantom.adapters.rest.layers.rates import BURST_SECONDS, SECOND, Rates
from prefect_phantom.adapters.settings import Settings

FEW = 5 / BURST_SECONDS


@pytest.fixture
def call(build, credentials):
    """Asks a gateway that takes five requests at once from a token or an address."""
    application = build(Settings(rate_limit=FEW))

    async def call(peer: str, token: str | None, path: str = "/rest/role/1") -> httpx.Response:
        transport = httpx.ASGITransport(application, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as caller:
            return await caller.get(path, headers={"ph-auth-token": token or credentials.token})

    return call


@pytest.mark.attack("a flood of requests", "429 with `Retry-After`")
async def test_an_address_that_asks_too_often_is_told_when_to_come_back(call):
    for _ in range(5):
        assert (await call("192.0.2.1", None)).status_code == 200
    response = await call("192.0.2.1", None)
    assert response.status_code == 429
    assert response.json()["message"].startswith("Too many requests; try again in ")
    assert int(response.headers["retry-after"]) >= 1


async def test_it_holds_for_paths_that_need_no_credentials_and_for_strangers(call):
    for _ in range(5):
        await call("192.0.2.1", "wrong")
    assert (await call("192.0.2.1", "wrong")).status_code == 429
    assert (await call("192.0.2.1", None, "/readyz")).status_code == 429
    assert (await call("192.0.2.2", None, "/readyz")).status_code == 200


async def test_a_token_that_asks_too_often_is_refused_wherever_it_comes_from(call, credentials):
    for n in range(5):
        assert (await call(f"192.0.2.{n}", None)).status_code == 200
    assert (await call("192.0.2.9", None)).status_code == 429
    assert (await call("192.0.2.9", credentials.automation_token)).status_code == 200


@pytest.mark.parametrize("rate", [2.0, 3.0, 7.0])
@pytest.mark.parametrize(
    "uptime",
    # Just below a power of two seconds the sum of two floats has fewer digits than either.
    [0, 1, *(2**power * SECOND - 12_345_678_901 for power in range(4, 33, 4))],
)
def test_what_is_allowed_comes_back_with_time_however_long_the_machine_is_up(
    monkeypatch, uptime, rate
):
    allowed, now = Rates(rate), uptime
    monkeypatch.setattr(rates.time, "monotonic_ns", lambda: now)
    for _ in range(round(rate * BURST_SECONDS)):
        allowed.spend("ana")
    with pytest.raises(TooMany):
        allowed.spend("ana")
    now += SECOND
    for _ in range(round(rate)):
        allowed.spend("ana")
    with pytest.raises(TooMany):
        allowed.spend("ana")


def test_without_a_rate_nothing_is_refused_or_remembered():
    unlimited = Rates(0)
    for _ in range(100_000):
        unlimited.spend("ana")
    assert unlimited._over == {}


def test_many_callers_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(rates, "MOST", 10)
    allowed, now = Rates(1000), iter(range(0, 1000 * SECOND, SECOND))
    monkeypatch.setattr(rates.time, "monotonic_ns", lambda: next(now))
    for n in range(1000):
        allowed.spend(n)
    assert len(allowed._over) <= 11
