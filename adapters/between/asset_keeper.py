"""What Prefect keeps of assets: asked for in the HTTP room, done in the Prefect room."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from pydantic import SecretStr


class AssetKeeper(Protocol):
    """Keeps secrets and limits of assets. Each call may be repeated.

    All of them raise `Unavailable`, after a bounded time.
    """

    async def secrets_of(self, app: str) -> Collection[str]:
        """The settings that the author of an app declares secret; none of an unknown app."""

    async def save_secret(self, block: str, value: SecretStr) -> None:
        """Keep `value` in the block of this name, whatever it held before."""

    async def delete_secret(self, block: str) -> None:
        """Delete the block, if it is there."""

    async def save_limit(self, name: str, limit: int) -> None:
        """Have the limit of this name allow so many actions at once."""

    async def delete_limit(self, name: str) -> None:
        """Delete the limit, if it is there."""
