"""What an action is told of its assets when it starts."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from adapters.errors import Invalid
from adapters.store import action_runs, assets
from adapters.store.action_runs import ActionStart
from adapters.store.tables import app_runs
from tests.integration.shop import Shop


def start(**fields) -> ActionStart:
    return ActionStart(
        fields.pop("start_key", uuid4()), "bind", "LDAP", "investigate", "bind", [{}],
        assets=fields.pop("assets", None), needs_asset=True,
    )  # fmt: skip


async def make(shop: Shop, name: str, **columns) -> int:
    async with assets.create(shop.database, name, {"app": "LDAP"}) as asset:
        if columns:
            await asset.save(**columns)
    return asset.id


async def test_it_is_told_where_secrets_and_limit_are(shop: Shop) -> None:
    name = uuid4().hex
    columns = {"settings": {"host": "h"}, "secrets": {"password": "block"}, "limit_name": "limit"}
    made = await make(shop, name, **columns)
    claim = await shop.claim()
    _, [app_run] = await action_runs.start(shop.database, claim.token, start(assets=[name]))
    assert app_run.asset == {
        "id": made,
        "name": name,
        "app": "LDAP",
        "settings": {"host": "h"},
        "secrets": {"password": "block"},
        "limit": "limit",
    }


async def test_what_a_deleted_asset_did_stays_known_and_is_not_done_again(shop: Shop) -> None:
    name, key = uuid4().hex, uuid4()
    made = await make(shop, name)
    claim = await shop.claim()
    first = start(assets=[name], start_key=key)
    _, [app_run] = await action_runs.start(shop.database, claim.token, first)
    async with assets.change(shop.database, made, {}) as asset:
        await asset.delete()
    with pytest.raises(Invalid, match=f'Asset "{name}" of app LDAP not found'):
        await action_runs.start(shop.database, claim.token, first)
    async with shop.database.read() as connection:
        query = select(app_runs.c.asset_id, app_runs.c.asset_name).where(
            app_runs.c.id == app_run.id
        )
        assert (await connection.execute(query)).one() == (made, name)
