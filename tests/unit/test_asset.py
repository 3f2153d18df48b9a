"""Of the gateway's record an asset is made, or a sentence says what is wrong with it."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from prefect_phantom.flows.asset import Asset, AssetRecord, settle
from prefect_phantom.flows.failure import AssetMisconfiguration, PrefectUnavailable

SECRET = "hunter2"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    host: str
    port: int = Field(default=53, ge=1, le=65535)
    api_key: SecretStr
    token: SecretStr | None = Field(default=None, min_length=8)
    password: str = ""

    @field_validator("host")
    @classmethod
    def _known(cls, host: str) -> str:
        if host == "nowhere":
            raise ValueError("Not a host at all")
        return host

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if self.password == self.host:
            raise ValueError(f"the password {self.password} is the host")
        return self


class Blocks:
    """Blocks by their names; counts what is read."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.away = False

    def read(self, block: str) -> SecretStr | None:
        if self.away:
            raise PrefectUnavailable("Prefect is away")
        return SecretStr(self.values[block]) if block in self.values else None


@pytest.fixture
def blocks() -> Blocks:
    return Blocks(b1=SECRET, b2=SECRET)


def record(settings: dict[str, Any], **secrets: str) -> AssetRecord:
    return AssetRecord(id=7, name="dns", app="DNS", settings=settings, secrets=secrets)


def test_settings_are_checked_and_secrets_filled_in(blocks: Blocks) -> None:
    asset = settle(record({"host": "h", "port": "5353"}, api_key="b1"), Settings, blocks)
    assert (asset.id, asset.name, asset.app) == (7, "dns", "DNS")
    assert (asset.settings.host, asset.settings.port) == ("h", 5353)
    assert asset.settings.api_key.get_secret_value() == SECRET
    assert SECRET not in repr(asset)


def test_a_secret_may_be_a_plain_text_to_the_app(blocks: Blocks) -> None:
    asset = settle(record({"host": "h"}, api_key="b1", password="b2"), Settings, blocks)
    assert asset.settings.password == SECRET


def test_without_a_model_settings_are_as_stored_and_secrets_are_not_shown(blocks: Blocks) -> None:
    asset: Asset = settle(record({"host": "h"}, api_key="b1"), None, blocks)
    assert asset.settings == {"host": "h", "api_key": SecretStr(SECRET)}
    assert SECRET not in repr(asset)


@pytest.mark.parametrize(
    ("settings", "secrets", "sentence"),
    [
        ({}, {"api_key": "b1"}, "the setting host is not set"),
        ({"host": "h"}, {}, "the secret api_key is not set"),
        (
            {"host": "h", "port": 99999},
            {"api_key": "b1"},
            "the setting port cannot be 99999: input should be less than or equal to 65535",
        ),
        (
            {"host": "h", "port": "many"},
            {"api_key": "b1"},
            (
                'the setting port cannot be "many": input should be a valid integer, '
                "unable to parse string as an integer"
            ),
        ),
        (
            {"host": "nowhere"},
            {"api_key": "b1"},
            'the setting host cannot be "nowhere": not a host at all',
        ),
        (
            {"host": "h", "ports": [1]},
            {"api_key": "b1"},
            "the setting ports cannot be [1]: extra inputs are not permitted",
        ),
        (
            {"host": "h"},
            {"api_key": "b1", "token": "b2"},
            "the secret token is not what app DNS asks for",
        ),
        (
            {"host": "h"},
            {"api_key": "b1", "other": "b2"},
            "the secret other is not what app DNS asks for",
        ),
        (
            {"host": SECRET},
            {"api_key": "b1", "password": "b2"},
            "its settings do not fit together; see what app DNS asks for",
        ),
        (
            {"host": "h"},
            {"api_key": "b9"},
            'the secret api_key is gone, since Prefect has no block "b9"; set it again',
        ),
    ],
)
def test_one_sentence_names_asset_and_setting_and_no_secret(
    blocks: Blocks, settings: dict[str, Any], secrets: dict[str, str], sentence: str
) -> None:
    with pytest.raises(AssetMisconfiguration) as raised:
        settle(record(settings, **secrets), Settings, blocks)
    assert str(raised.value) == f'Asset "dns": {sentence}'
    if SECRET not in settings.values():
        assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_secret_that_cannot_be_read_now_may_be_read_later(blocks: Blocks) -> None:
    blocks.away = True
    with pytest.raises(PrefectUnavailable) as raised:
        settle(record({"host": "h"}, api_key="b1"), Settings, blocks)
    assert str(raised.value) == ('Asset "dns": the secret api_key cannot be read: Prefect is away')
