"""Secrets of a run's assets are read once each, when they are needed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

import prefect_phantom.flows.inside.secrets.secret
from prefect_phantom.flows.failure import PrefectUnavailable
from prefect_phantom.flows.inside.secrets.secret import AssetSecret, BlockSecrets

REQUEST = httpx.Request("GET", "http://prefect")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The blocks that Prefect was asked for."""
    reads: list[str] = []

    def load(block: str) -> SecretStr | None:
        reads.append(block)
        time.sleep(0.01)
        return SecretStr(f"of {block}") if block != "gone" else None

    monkeypatch.setattr(prefect_phantom.flows.inside.secrets.secret, "_load", load)
    return reads


def test_a_block_is_read_once_however_many_ask_at_once(reads: list[str]) -> None:
    secrets = BlockSecrets()
    with ThreadPoolExecutor(8) as threads:
        values = list(threads.map(secrets.read, ["one", "two"] * 20))
    assert {value.get_secret_value() for value in values if value} == {"of one", "of two"}
    assert sorted(reads) == ["one", "two"]
    BlockSecrets().read("one")
    assert sorted(reads) == ["one", "one", "two"]


def test_a_block_that_is_gone_is_asked_for_again(reads: list[str]) -> None:
    secrets = BlockSecrets()
    assert [secrets.read("gone"), secrets.read("gone")] == [None, None]
    assert reads == ["gone", "gone"]


@pytest.mark.parametrize(
    ("error", "asked", "reason"),
    [
        (httpx.ConnectError("refused"), 3, None),
        (httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(503)), 3, None),
        (httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(401)), 1, "HTTP 401"),
    ],
    ids=str,
)
def test_a_server_that_is_away_for_a_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, error: Exception, asked: int, reason: str | None
) -> None:
    answers = iter([error, error, SecretStr("x")])
    count = 0

    def read(block: str) -> SecretStr | None:
        nonlocal count
        assert block == "one"
        count += 1
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(prefect_phantom.flows.inside.secrets.secret, "_read", read)
    if reason is None:
        assert BlockSecrets().read("one") == SecretStr("x")
    else:
        with pytest.raises(PrefectUnavailable) as raised:
            BlockSecrets().read("one")
        assert str(raised.value) == f'Prefect does not give out the block "one" now ({reason})'
    assert count == asked


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_phantom.flows.inside.secrets.secret, "PATIENCE_SECONDS", 0.1)
    settings = {PREFECT_API_URL: "http://127.0.0.1:1/api"}
    with temporary_settings(settings), pytest.raises(PrefectUnavailable, match="ConnectError"):
        BlockSecrets().read("one")


def test_a_block_does_not_show_its_secret() -> None:
    block = AssetSecret(value=SecretStr("hunter2"))
    assert "hunter2" not in f"{block!r} {block} {block.model_dump()}"
