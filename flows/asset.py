"""Assets: where an app does its work, such as one DNS server, and the settings for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, get_args, overload

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from typing_extensions import TypeVar

from prefect_phantom.flows.failure import AssetMisconfiguration, PrefectUnavailable
from prefect_phantom.flows.inside.secrets.redaction import Redaction

SettingsT = TypeVar("SettingsT", default=dict[str, Any])
ModelT = TypeVar("ModelT", bound=BaseModel)
LONGEST_SHOWN = 100
"""Characters of a wrong value that its sentence repeats."""


@dataclass(frozen=True)
class Asset(Generic[SettingsT]):
    """Where an app does its work. ``Asset[Settings]`` has checked settings, secrets among them.

    A plain ``Asset`` has them as a dictionary, in which each secret is a `SecretStr`.
    """

    id: int
    name: str
    app: str
    settings: SettingsT


class AssetRecord(BaseModel):
    """An asset as the gateway knows it: without its secrets, of which it names the blocks."""

    # A newer gateway may send more than an older run process knows.
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: int
    name: str
    app: str
    settings: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    """Names of settings, and of the Prefect blocks that hold their values."""
    limit: str | None = None
    """Name of the global concurrency limit of Prefect; None where nothing is limited."""


class AssetName(BaseModel):
    """What a run is told of each asset, so that actions are found by it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    app: str


class Secrets(Protocol):
    """Where the values of secret settings come from."""

    def read(self, block: str) -> SecretStr | None:
        """The value in the block of this name; None when there is no such block.

        Raises:
            PrefectUnavailable: it cannot be said now.

        """

    def redaction(self) -> Redaction:
        """What takes those that were read out of a text."""


@overload
def settle(record: AssetRecord, settings_type: None, secrets: Secrets) -> Asset: ...
@overload
def settle(record: AssetRecord, settings_type: type[ModelT], secrets: Secrets) -> Asset[ModelT]: ...
def settle(
    record: AssetRecord, settings_type: type[ModelT] | None, secrets: Secrets
) -> Asset[ModelT] | Asset:
    """The asset with its settings checked and its secrets filled in.

    Args:
        record: What the gateway says of it.
        settings_type: What the app wants to know; secrets are its `SecretStr` fields. None takes
            the settings as they are stored, each secret among them a `SecretStr`.
        secrets: Where their values are read, each once in a run.

    Raises:
        AssetMisconfiguration: a setting is missing or wrong, or a secret is not there. The sentence
            names asset and setting, and the value unless it is secret.
        PrefectUnavailable: a secret cannot be read now.

    """
    found = _read(record, secrets)
    if settings_type is None:
        return Asset(record.id, record.name, record.app, {**record.settings, **found})
    # As texts: what is secret to whoever made the asset may be a plain text to the app.
    values = {name: value.get_secret_value() for name, value in found.items()}
    try:
        settings = settings_type.model_validate({**record.settings, **values})
    except ValidationError as error:
        raise AssetMisconfiguration(_sentence(record, settings_type, error)) from None
    return Asset(record.id, record.name, record.app, settings)


def _read(record: AssetRecord, secrets: Secrets) -> dict[str, SecretStr]:
    found: dict[str, SecretStr] = {}
    for name, block in record.secrets.items():
        try:
            value = secrets.read(block)
        except PrefectUnavailable as error:
            message = f'Asset "{record.name}": the secret {name} cannot be read: {error}'
            raise PrefectUnavailable(message) from error
        if value is None:
            message = (
                f'Asset "{record.name}": the secret {name} is gone, since Prefect has no block '
                f'"{block}"; set it again'
            )
            raise AssetMisconfiguration(message)
        found[name] = value
    return found


def _sentence(record: AssetRecord, settings_type: type[BaseModel], error: ValidationError) -> str:
    """What is wrong first. The error itself holds the values of secrets: it is not passed on."""
    first = error.errors(include_url=False, include_context=False)[0]
    asset, place = f'Asset "{record.name}"', ".".join(str(part) for part in first["loc"])
    if not place:
        return f"{asset}: its settings do not fit together; see what app {record.app} asks for"
    setting = str(first["loc"][0])
    secret = setting in record.secrets or setting in secret_settings(settings_type)
    if first["type"] == "missing":
        return f"{asset}: {'the secret' if secret else 'the setting'} {place} is not set"
    if secret:
        return f"{asset}: the secret {place} is not what app {record.app} asks for"
    shown = json.dumps(first["input"], default=str, ensure_ascii=False)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."
    return f"{asset}: the setting {place} cannot be {shown}: {_reason(first['msg'])}"


def _reason(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def secret_values(settings: BaseModel | Mapping[str, Any], names: Iterable[str] = ()) -> list[str]:
    """The values of all secrets in settings: those of `SecretStr`, and those of these names."""
    given = settings if isinstance(settings, Mapping) else dict(settings)
    return [
        value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in given.items()
        if isinstance(value, SecretStr) or (name in names and isinstance(value, str))
    ]


def secret_settings(settings_type: type[BaseModel]) -> set[str]:
    """Names of the settings that are secrets: `SecretStr`, or `SecretStr | None`."""
    return {
        field.alias or name
        for name, field in settings_type.model_fields.items()
        if SecretStr in (field.annotation, *get_args(field.annotation))
    }
