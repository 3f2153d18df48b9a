"""Writing what a request wants of an asset: settings to its row, secrets and limit to Prefect."""

from __future__ import annotations

import asyncio
import re
import secrets as random
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress

from prefect_phantom.adapters.between.asset_keeper import AssetKeeper
from prefect_phantom.adapters.errors import PrefectUnavailable, SecretsMoved
from prefect_phantom.adapters.rest.contract.assets.asset_destination import (
    is_destination,
    moved_settings,
)
from prefect_phantom.adapters.rest.contract.assets.asset_settings import Wanted, move_declared
from prefect_phantom.adapters.store.database.database import ASKING_SECONDS
from prefect_phantom.adapters.store.playbooks.assets import OpenAsset

LONGEST_PART = 40
"""Characters of an asset's name, and of a setting's, in the name of a block."""
KEEPING_SECONDS = ASKING_SECONDS - 20.0
"""How long all calls of Prefect for one request may take; each has its own limit, too."""


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raise `PrefectUnavailable` before PostgreSQL ends the transaction that waits for this."""
    try:
        async with asyncio.timeout(KEEPING_SECONDS):
            yield
    except TimeoutError:
        raise PrefectUnavailable from None


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


@_in_time()
async def keep(keeper: AssetKeeper, asset: OpenAsset, wanted: Wanted, made: list[str]) -> None:
    """Write what is wanted. The row comes first, so that what it refuses never gets to Prefect.

    Raises `PrefectUnavailable` and `AppsUnknown`; `BadSecret`, `SecretSetting` and `SecretsMoved`
    for settings.
    """
    if wanted.settings:
        move_declared(wanted, {*asset.secrets, *await keeper.secrets_of(asset.app)})
    blocks, limit = dict(asset.secrets), asset.limit_name
    cleared = [blocks.pop(name) for name in wanted.cleared if name in blocks]
    _refuse_moved(asset, wanted, blocks)
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


def _refuse_moved(asset: OpenAsset, wanted: Wanted, blocks: Iterable[str]) -> None:
    """Raise `SecretsMoved` when secrets that the request does not give would go elsewhere."""
    kept = sorted(name for name in blocks if name not in wanted.secrets)
    if kept and (moved := next(_moved(asset, wanted), None)):
        raise SecretsMoved(moved, kept)


def _moved(asset: OpenAsset, wanted: Wanted) -> Iterator[str]:
    """What a request names that decides where the asset's secrets are sent."""
    if asset.app != asset.former_app:
        yield "app"
    if wanted.settings is not None:
        for name in moved_settings(asset.settings, wanted.settings):
            yield f"configuration.{name}"
    yield from (f"secrets.{name}" for name in wanted.secrets if is_destination(name))


@_in_time()
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
