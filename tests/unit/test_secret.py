"""Secrets of a run's assets are read once each, when they are needed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

import flows.secret
from flows.secret import AssetSecret, BlockSecrets


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The blocks that Prefect was asked for."""
    reads: list[str] = []

    def load(block: str) -> SecretStr | None:
        reads.append(block)
        time.sleep(0.01)
        return SecretStr(f"of {block}") if block != "gone" else None

    monkeypatch.setattr(flows.secret, "_load", load)
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


def test_a_block_does_not_show_its_secret() -> None:
    block = AssetSecret(value=SecretStr("hunter2"))
    assert "hunter2" not in f"{block!r} {block} {block.model_dump()}"
