"""Assets: what actions act on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from prefect_phantom.client.models.answer import Item


class Asset(Item):
    """A configured product or service that the actions of an app act on."""

    resource: ClassVar[str] = "asset"
    name: str = ""
    product_name: str = ""
    """Name of the app, such as ``WHOIS``."""
    description: str | None = ""
    configuration: dict[str, Any] = Field(default_factory=dict)
    """Its settings; the secret ones are never shown."""
    secret_blocks: dict[str, str] = Field(default_factory=dict)
    """Names of secret settings, and of the Prefect blocks that hold them."""
    action_limit: int | None = None
    """Most actions at once; None is no limit."""
    disabled: bool = False
    create_time: datetime | None = None
    update_time: datetime | None = None
