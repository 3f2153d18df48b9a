"""Assets of a trial, from a file: their settings, and where their secrets are found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter, ValidationError

from prefect_phantom.flows.asset import AssetRecord
from prefect_phantom.flows.inside.secrets.redaction import Redaction


class TrialAsset(BaseModel):
    """``{"name", "app", "settings", "secrets"}``.

    `secrets` names environment variables, by setting, so that no file needs to hold a secret.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    app: str
    settings: dict[str, Any] = {}
    secrets: dict[str, str] = {}

    @classmethod
    def read(cls, file: Path) -> list[TrialAsset]:
        """The assets in a file, a JSON array.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no assets; the sentence names the file and the place.

        """
        try:
            return TypeAdapter(list[TrialAsset]).validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "it"
            raise ValueError(f"{file}: {place}: {first['msg']}") from None


class EnvironmentSecrets:
    """Secrets of assets, each in the environment variable that its asset names."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def read(self, block: str) -> SecretStr | None:
        """The variable of this name; None where it is not set."""
        if (value := os.environ.get(block)) is None:
            return None
        self._values[block] = value
        return SecretStr(value)

    def redaction(self) -> Redaction:
        """What takes those that were read out of a text."""
        return Redaction(self._values.values())


def records(
    assets: Sequence[TrialAsset], app: str, names: Sequence[str] | None
) -> list[AssetRecord]:
    """The assets of `app`, or those of these `names`. Raises LookupError for one that is missing.

    An app of which no asset is given gets one without settings, which may be all that it needs.
    """
    own = [
        AssetRecord(id=number, **asset.model_dump())
        for number, asset in enumerate(assets, 1)
        if asset.app == app
    ]
    if names is None:
        return own or [AssetRecord(id=len(assets) + 1, name=app.lower(), app=app)]
    found = {asset.name: asset for asset in own}
    missing = [name for name in names if name not in found]
    if missing:
        message = f'Asset "{missing[0]}" of app {app} not found'
        raise LookupError(message)
    return [found[name] for name in names]
