"""What an action is told of its assets when it starts."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from sqlalchemy import select

from prefect_phantom.adapters.errors import Invalid
from prefect_phantom.adapters.store.database.database import compact_json
from prefect_phantom.adapters.store.playbooks import assets
from prefect_phantom.adapters.store.runs import action_runs
from prefect_phantom.adapters.store.runs.action_runs import ActionStart, AppRunEnd
from prefect_phantom.adapters.store.tables.tables import app_runs
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


async def test_each_of_several_assets_has_its_part_and_its_end(shop: Shop) -> None:
    names = [uuid4().hex for _ in range(3)]
    made = [await make(shop, name) for name in names]
    claim = await shop.claim()
    request = start(assets=[*names, names[0]])
    action_run_id, parts = await action_runs.start(shop.database, claim.token, request)
    assert [part.asset["id"] for part in parts if part.asset] == made
    ends = [
        AppRunEnd(
            part.id,
            "failed" if number else "success",
            f"{number} done",
            exception_occured=bool(number),
            entries=compact_json([{"parameter": {"n": number}}] * number),
            results=compact_json([{"message": "ä", "data": ["{}"]}] * number),
        )
        for number, part in enumerate(parts)
    ]
    await action_runs.end(
        *(shop.database, claim.token, action_run_id), status="success", message="m", ends=ends
    )
    async with shop.database.read() as connection:
        columns = (app_runs.c.status, app_runs.c.message, app_runs.c.exception_occured)
        query = select(*columns, app_runs.c.entries, app_runs.c.result_data, app_runs.c.end_time)
        rows = await connection.execute(
            query.where(app_runs.c.action_run_id == action_run_id).order_by(app_runs.c.id)
        )
        for end, row in zip(ends, rows, strict=True):
            texts = (json.loads(end.entries), json.loads(end.results))
            told = (end.status, end.message, end.exception_occured, *texts)
            assert tuple(row)[:-1] == told
            assert row.end_time is not None
