"""Secrets of assets, each in a Prefect block of our own type, which Prefect's UI can edit."""

from __future__ import annotations

import threading
from typing import ClassVar

import httpx
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import Field, SecretStr
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from prefect_phantom.flows.failure import PrefectUnavailable
from prefect_phantom.flows.inside.secrets.redaction import Redaction

SLUG = "asset-secret"
PATIENCE_SECONDS = 120.0
"""How long Prefect may not answer before an action fails for it."""


class AssetSecret(Block):
    """A secret setting of an asset, such as a password or an API key.

    Attributes:
        value: The secret itself. Runs that begin from now on use it.

    """

    _block_type_name: ClassVar[str] = "Asset Secret"
    _block_type_slug: ClassVar[str] = SLUG
    _description: ClassVar[str] = (
        "A secret setting of an asset, such as a password or an API key. Made by prefect-phantom; "
        "a new value holds for runs that begin from now on."
    )

    value: SecretStr = Field(description="The secret itself, such as a password or an API key.")


class BlockSecrets:
    """The secrets of the assets of one run, each read from Prefect once, when it is needed."""

    def __init__(self) -> None:
        self._values: dict[str, SecretStr] = {}
        self._reading = threading.Lock()

    def read(self, block: str) -> SecretStr | None:
        """The value in the block of this name; None when there is no such block.

        Raises:
            PrefectUnavailable: Prefect does not answer.

        """
        with self._reading:
            if block not in self._values:
                value = _load(block)
                if value is None:
                    return None
                self._values = {**self._values, block: value}
            return self._values[block]

    def redaction(self) -> Redaction:
        """What takes those that were read out of a text."""
        return Redaction(value.get_secret_value() for value in self._values.values())


def _load(block: str) -> SecretStr | None:
    try:
        for trial in Retrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_delay(PATIENCE_SECONDS),
            reraise=True,
        ):
            with trial:
                return _read(block)
    except httpx.HTTPError as error:
        message = f'Prefect does not give out the block "{block}" now ({_reason(error)})'
        raise PrefectUnavailable(message) from error
    raise AssertionError  # pragma: no cover - Retrying returns or raises


def _read(block: str) -> SecretStr | None:
    try:
        with get_client(sync_client=True) as client:
            document = client.read_block_document_by_name(block, SLUG, include_secrets=True)
    except ObjectNotFound:
        return None
    value = document.data.get("value")
    return SecretStr(value) if isinstance(value, str) else None


def _may_pass(error: BaseException) -> bool:
    """Whether it is worth asking again: the server is away, and not the question wrong."""
    if isinstance(error, httpx.HTTPStatusError):
        later = error.response.status_code == httpx.codes.TOO_MANY_REQUESTS
        return later or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def _reason(error: httpx.HTTPError) -> str:
    """Why, in a word: an answer itself might repeat what was sent."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return type(error).__name__
