"""Writing what a request wants of an asset: settings to its row, secrets and limit to Prefect."""

from __future__ import annotations

import re
import secrets as random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from adapters.asset_keeper import AssetKeeper
from adapters.errors import PrefectUnavailable
from adapters.rest.asset_settings import Wanted, move_declared
from adapters.store.assets import OpenAsset

LONGEST_PART = 40
"""Characters of an asset's name, and of a setting's, in the name of a block."""


@asynccontextmanager
async def taken_back(keeper: AssetKeeper) -> AsyncIterator[list[str]]:
    """A list for the names of blocks that are made inside; if it fails, they are deleted again."""
    made: list[str] = []
    try:
        yield made
    except Exception:
        for block in made:
            with suppress(PrefectUnavailable):
                await keeper.delete_secret(block)
        raise


async def keep(keeper: AssetKeeper, asset: OpenAsset, wanted: Wanted, made: list[str]) -> None:
    """Write what is wanted. The row comes first, so that what it refuses never gets to Prefect.

    Raises `PrefectUnavailable` and `AppsUnknown`; `BadSecret` and `SecretSetting` for settings.
    """
    if wanted.settings:
        move_declared(wanted, {*asset.secrets, *await keeper.secrets_of(asset.app)})
    blocks, limit = dict(asset.secrets), asset.limit_name
    cleared = [blocks.pop(name) for name in wanted.cleared if name in blocks]
    new = [name for name in wanted.secrets if name not in blocks]
    blocks |= {name: _name(asset.name, name) for name in new}
    if wanted.limits:
        limit = (limit or _name("asset", asset.name)) if wanted.action_limit else None
    columns: dict[str, object] = {"secrets": blocks, "limit_name": limit}
    if wanted.settings is not None:
        columns["settings"] = wanted.settings
    if wanted.limits:
        columns["action_limit"] = wanted.action_limit
    if wanted:
        await asset.save(**columns)
    made += [blocks[name] for name in new]
    for name, value in wanted.secrets.items():
        await keeper.save_secret(blocks[name], value)
    for block in cleared:
        await keeper.delete_secret(block)
    if limit is not None and wanted.action_limit is not None:
        await keeper.save_limit(limit, wanted.action_limit)
    elif limit is None and asset.limit_name is not None:
        await keeper.delete_limit(asset.limit_name)


async def forget(keeper: AssetKeeper, asset: OpenAsset) -> None:
    """Delete what Prefect keeps of the asset. Raises `PrefectUnavailable`."""
    for block in asset.secrets.values():
        await keeper.delete_secret(block)
    if asset.limit_name is not None:
        await keeper.delete_limit(asset.limit_name)


def _name(*parts: str) -> str:
    """A name to be read in Prefect's UI, and given to nothing else."""
    slugs = (re.sub("[^a-z0-9]+", "-", part.lower()).strip("-")[:LONGEST_PART] for part in parts)
    return "-".join([*(slug.strip("-") or "asset" for slug in slugs), random.token_hex(4)])
