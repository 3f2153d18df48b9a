"""``/rest/asset``: assets, for administrators to make and change. Lists are in `routes.py`.

Secrets and limits are written to Prefect inside the transaction that writes the row: while Prefect
does not answer, nothing is stored.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from prefect_phantom.adapters.errors import FieldMissing, NothingToChange, PrefectUnavailable
from prefect_phantom.adapters.rest.contract.assets.asset_keeping import forget, keep, taken_back
from prefect_phantom.adapters.rest.contract.assets.asset_settings import LARGEST_LIMIT, read_wanted
from prefect_phantom.adapters.rest.gateway import Gateway
from prefect_phantom.adapters.rest.openapi.operation import Operation
from prefect_phantom.adapters.rest.openapi.schemas import FLAG, INDEXED, OBJECT, TEXT, optional
from prefect_phantom.adapters.rest.request.body import read_object
from prefect_phantom.adapters.rest.request.fields import LONGEST_INDEXED, Fields, as_identifier
from prefect_phantom.adapters.rest.request.path_identifier import path_identifier
from prefect_phantom.adapters.rest.responses import answer
from prefect_phantom.adapters.store.case.containers import given
from prefect_phantom.adapters.store.playbooks import assets

CHANGEABLE = (
    "name",
    "app",
    "description",
    "configuration",
    "secrets",
    "action_limit",
    "disabled",
    "delete",
)
APP = {"description": "An app's id or name", "oneOf": [{"type": "integer", "minimum": 1}, INDEXED]}
SECRETS = {
    "description": "Settings that are never shown, by name; null clears one",
    "type": ["object", "null"],
    "writeOnly": True,
}
LIMIT = {
    "description": "Most actions at once; null is no limit",
    "type": ["integer", "null"],
    "minimum": 1,
    "maximum": LARGEST_LIMIT,
}
BODY = {
    "name": optional(INDEXED),
    "app": optional(APP),
    "description": TEXT,
    "configuration": OBJECT,
    "secrets": SECRETS,
    "action_limit": LIMIT,
    "disabled": FLAG,
}


@Operation(
    body={**BODY, "name": INDEXED, "app": APP},
    required=["name", "app"],
    sent={"name": "whois", "app": "WHOIS"},
    answer={"success": True, "id": 1},
    refusals=[PrefectUnavailable],
)
async def create(request: Request) -> Response:
    """Make an asset; `name` and `app` are required. Further fields are ignored (our decision).

    What is secret in `configuration` is kept apart, as `secrets` are, and never shown.
    """
    fields = Fields(await read_object(request))
    values, wanted = _values(fields), read_wanted(fields)
    for required in ("name", "app"):
        if required not in values:
            raise FieldMissing(required)
    gateway, name = Gateway.of(request), str(values.pop("name"))
    async with (
        taken_back(gateway.keeper) as made,
        assets.create(gateway.database, name, values) as asset,
    ):
        await keep(gateway.keeper, asset, wanted, made)
    return answer({"success": True, "id": asset.id})


@Operation(
    body={**BODY, "delete": FLAG},
    sent={"disabled": True},
    answer={"success": True, "id": 1},
    refusals=[PrefectUnavailable],
)
async def change(request: Request) -> Response:
    """Replace what is named, `configuration` as a whole. Further fields are ignored.

    A secret that is not named stays. `delete` deletes the asset, and is the only one then.
    """
    asset_id = path_identifier(request, "Asset")
    fields = Fields(await read_object(request))
    if fields.flag("delete"):
        await _remove(Gateway.of(request), asset_id)
        return answer({"success": True, "id": asset_id})
    values, wanted = _values(fields), read_wanted(fields)
    if not values and not wanted:
        raise NothingToChange("an asset", CHANGEABLE)
    gateway = Gateway.of(request)
    async with (
        taken_back(gateway.keeper) as made,
        assets.change(gateway.database, asset_id, values) as asset,
    ):
        await keep(gateway.keeper, asset, wanted, made)
    return answer({"success": True, "id": asset_id})


@Operation(answer={"success": True, "id": 1}, refusals=[PrefectUnavailable])
async def remove(request: Request) -> Response:
    """Delete an asset with its secrets and its limit. What it did stays known."""
    asset_id = path_identifier(request, "Asset")
    await _remove(Gateway.of(request), asset_id)
    return answer({"success": True, "id": asset_id})


def _values(fields: Fields) -> dict[str, object]:
    """What is said of an asset beside its settings, by column. Raises `BadField`."""
    return given(
        {
            "name": fields.filled_text("name", longest=LONGEST_INDEXED),
            "app": _app(fields),
            "description": fields.text("description"),
            "disabled": fields.flag("disabled"),
        }
    )


def _app(fields: Fields) -> int | str | None:
    """An app by its id or name."""
    number = as_identifier(fields.body.get("app"))
    return fields.filled_text("app", longest=LONGEST_INDEXED) if number is None else number


async def _remove(gateway: Gateway, asset_id: int) -> None:
    async with assets.change(gateway.database, asset_id, {}) as asset:
        await asset.delete()
        await forget(gateway.keeper, asset)
